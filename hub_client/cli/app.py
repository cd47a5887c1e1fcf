"""The commands, by subject, in the order in which help lists them."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from hub_client.cli.command import new_group, register
from hub_client.version import VERSION

USE: Final = "Use"
PROJECT: Final = "Project"
PUBLISH: Final = "Publish"
SETTINGS: Final = "Settings"
_HERE: Final = "hub_client.cli"


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


register(app, f"{_HERE}.install:install", panel=USE)
register(app, f"{_HERE}.install:uninstall", panel=USE)
register(app, f"{_HERE}.list_installed:list_installed", panel=USE, name="list")
register(app, f"{_HERE}.search:search", panel=USE)
register(app, f"{_HERE}.info:info", panel=USE)
register(app, f"{_HERE}.project:add", panel=PROJECT)
register(app, f"{_HERE}.project:remove", panel=PROJECT)
register(app, f"{_HERE}.project:lock", panel=PROJECT)
register(app, f"{_HERE}.project:sync", panel=PROJECT)
register(app, f"{_HERE}.needs:tree", panel=PROJECT)
register(app, f"{_HERE}.needs:why", panel=PROJECT)
register(app, f"{_HERE}.needs:outdated", panel=PROJECT)
register(app, f"{_HERE}.export:export", panel=PROJECT)
register(app, f"{_HERE}.bundle:bundle", panel=PROJECT)
register(app, f"{_HERE}.bundle:mirror", panel=PROJECT)
register(app, f"{_HERE}.verify:verify", panel=PROJECT)
register(app, f"{_HERE}.audit:audit", panel=PROJECT)
register(app, f"{_HERE}.init:init", panel=PUBLISH)
register(app, f"{_HERE}.check:check", panel=PUBLISH)
register(app, f"{_HERE}.publish:publish", panel=PUBLISH)
register(app, f"{_HERE}.yank:yank", panel=PUBLISH)

register(app, f"{_HERE}.env:env", panel=SETTINGS)
register(app, f"{_HERE}.completion:completion", panel=SETTINGS)

index_app = new_group()
app.add_typer(
    index_app,
    name="index",
    help="Keep an index of operators",
    rich_help_panel=PUBLISH,
)
register(index_app, f"{_HERE}.index:build")
register(index_app, f"{_HERE}.index:update")

trust_app = new_group()
app.add_typer(
    trust_app, name="trust", help="Whose code may run here", rich_help_panel=SETTINGS
)
register(trust_app, f"{_HERE}.trust:add")
register(trust_app, f"{_HERE}.trust:remove")
register(trust_app, f"{_HERE}.trust:list_entries", name="list")

cache_app = new_group()
app.add_typer(
    cache_app, name="cache", help="Where fetched things lie", rich_help_panel=SETTINGS
)
register(cache_app, f"{_HERE}.cache:directory", name="dir")
register(cache_app, f"{_HERE}.cache:size")
register(cache_app, f"{_HERE}.cache:prune")
register(cache_app, f"{_HERE}.cache:clean")
register(cache_app, f"{_HERE}.cache:verify")
