"""How a function becomes a command: its own flags, and those every command has."""

from __future__ import annotations

import os
from contextlib import nullcontext
from inspect import Parameter, Signature, cleandoc, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from hub_client.cli.console import ColorChoice, Console, choose_color
from hub_client.cli.help_page import SHARED, PageCommand
from hub_client.cli.session import Session
from hub_client.steps import told
from hub_client.transfer import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Run: TypeAlias = "Callable[..., int | None]"


def _option(*names: str, **settings: Any) -> Any:  # noqa: ANN401  (typer's own type)
    return typer.Option(*names, rich_help_panel=SHARED, **settings)


def shared(  # noqa: PLR0913  (one a flag)
    *,
    quiet: Annotated[bool, _option("-q", "--quiet", help="Say only what goes wrong.")],
    verbose: Annotated[
        bool,
        _option(
            "-v",
            "--verbose",
            help="Tell each step, and tracebacks of errors.",
        ),
    ],
    offline: Annotated[
        bool,
        _option("--offline", help="Use no network; fail if it would be needed."),
    ],
    directory: Annotated[
        Path | None,
        _option(
            "--directory",
            metavar="FOLDER",
            exists=True,
            file_okay=False,
            help="Run as if started in FOLDER.",
        ),
    ],
    no_progress: Annotated[bool, _option("--no-progress", help="Show no progress.")],
    color: Annotated[
        ColorChoice,
        _option("--color", metavar="WHEN", help="`auto`, `always` or `never`."),
    ],
) -> Session:
    """Start what a command runs in."""
    if quiet and verbose:
        raise typer.BadParameter("`--quiet` and `--verbose` contradict each other")
    choose_color(color)
    if offline:
        # Children, and libraries that read the configuration themselves, obey it too.
        os.environ["HUB_OFFLINE"] = "1"
    if directory is not None:
        os.chdir(directory)
    console = Console(quiet=quiet, progress=not no_progress, verbose=verbose)
    return Session(console, offline=offline)


_DEFAULTS: Final[Mapping[str, object]] = {"directory": None, "color": "auto"}


def register(
    app: typer.Typer,
    function: Run,
    *,
    panel: str | None = None,
    name: str | None = None,
) -> None:
    """Make a function whose first parameter is a ``Session`` a command of ``app``.

    Its docstring is its help page: laid out by hand, at most 80 columns wide.
    """
    _, *own = signature(function, eval_str=True).parameters.values()
    common = _shared_parameters()

    def run(**values: Any) -> int | None:  # noqa: ANN401  (each command's own)
        session = shared(**{each.name: values.pop(each.name) for each in common})
        console = session.console
        telling = told(console.detail) if console.verbose else nullcontext()
        with session.ending, telling, shown(console.transfer):
            return function(session, **values)

    run.__signature__ = Signature([*own, *common])  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in (*own, *common)}
    page = cleandoc(function.__doc__ or "")
    app.command(
        name or function.__name__,
        cls=PageCommand,
        help=page,
        # Whole, for lists of commands and for shells.
        short_help=page.partition("\n")[0].removesuffix("."),
        rich_help_panel=panel,
    )(run)


def _shared_parameters() -> list[Parameter]:
    return [
        each.replace(default=_DEFAULTS.get(each.name, False))
        for each in signature(shared, eval_str=True).parameters.values()
    ]
