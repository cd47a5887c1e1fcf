"""The commands, by subject, in the order in which help lists them."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from hub_client.cli import cache, needs, project, trust
from hub_client.cli.audit import audit
from hub_client.cli.bundle import bundle, mirror
from hub_client.cli.check import check
from hub_client.cli.command import new_group, register
from hub_client.cli.completion import completion
from hub_client.cli.env import env
from hub_client.cli.export import export
from hub_client.cli.index import build, update
from hub_client.cli.info import info
from hub_client.cli.init import init
from hub_client.cli.install import install, uninstall
from hub_client.cli.list_installed import list_installed
from hub_client.cli.publish import publish
from hub_client.cli.search import search
from hub_client.cli.verify import verify
from hub_client.cli.yank import yank
from hub_client.version import VERSION

USE: Final = "Use"
PROJECT: Final = "Project"
PUBLISH: Final = "Publish"
SETTINGS: Final = "Settings"


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    typer.echo(f"hub {VERSION}")
    raise typer.Exit


app = new_group()


@app.callback()
def hub(
    version: Annotated[
        bool,
        typer.Option(
            "-V",
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version of hub.",
        ),
    ] = False,
) -> None:
    """Find, install and run operators for embeddings.

    An operator is a versioned repository with a checked manifest. A project's
    hub.lock pins operators by content and Python packages by hash.

      hub install image-embedding/timm
      hub run image-embedding-resnet50 photos/*.jpg -o vectors.npy
    """
    del version


register(app, install, panel=USE)
register(app, uninstall, panel=USE)
register(app, list_installed, panel=USE, name="list")
register(app, search, panel=USE)
register(app, info, panel=USE)
register(app, project.add, panel=PROJECT)
register(app, project.remove, panel=PROJECT)
register(app, project.lock, panel=PROJECT)
register(app, project.sync, panel=PROJECT)
register(app, needs.tree, panel=PROJECT)
register(app, needs.why, panel=PROJECT)
register(app, needs.outdated, panel=PROJECT)
register(app, export, panel=PROJECT)
register(app, bundle, panel=PROJECT)
register(app, mirror, panel=PROJECT)
register(app, verify, panel=PROJECT)
register(app, audit, panel=PROJECT)
register(app, init, panel=PUBLISH)
register(app, check, panel=PUBLISH)
register(app, publish, panel=PUBLISH)
register(app, yank, panel=PUBLISH)

register(app, env, panel=SETTINGS)
register(app, completion, panel=SETTINGS)

index_app = new_group()
app.add_typer(
    index_app,
    name="index",
    help="Keep an index of operators",
    rich_help_panel=PUBLISH,
)
register(index_app, build)
register(index_app, update)

trust_app = new_group()
app.add_typer(
    trust_app, name="trust", help="Whose code may run here", rich_help_panel=SETTINGS
)
register(trust_app, trust.add)
register(trust_app, trust.remove)
register(trust_app, trust.list_entries, name="list")

cache_app = new_group()
app.add_typer(
    cache_app, name="cache", help="Where fetched things lie", rich_help_panel=SETTINGS
)
register(cache_app, cache.directory, name="dir")
register(cache_app, cache.size)
register(cache_app, cache.prune)
register(cache_app, cache.clean)
register(cache_app, cache.verify)
