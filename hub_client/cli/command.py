"""How a function becomes a command: its own flags, and those every command has."""

from __future__ import annotations

import os
from contextlib import nullcontext
from functools import cache, partial
from importlib import import_module
from inspect import Parameter, Signature, cleandoc, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from hub_client.cli.console import ColorChoice, Console, choose_color
from hub_client.cli.help_page import SHARED, Later, PageCommand, PageGroup
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


def new_group() -> typer.Typer:
    """Open a group, for ``register`` to fill."""
    return typer.Typer(
        cls=type("Group", (PageGroup,), {"later": {}}),
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )


def register(
    app: typer.Typer,
    function: Run | str,
    *,
    panel: str | None = None,
    name: str | None = None,
) -> None:
    """Make a function whose first parameter is a ``Session`` a command of a group.

    Its docstring is its help page: laid out by hand, at most 80 columns wide.

    :param function: or its place, as ``module:function``: imported when asked for.
    """
    place = function if isinstance(function, str) else function.__name__
    name = name or place.rpartition(":")[2]
    group = app.info.cls
    assert isinstance(group, type)
    assert issubclass(group, PageGroup)
    group.later[name] = Later(
        partial(_command, function, name), partial(_summary, function), panel
    )


def _found(function: Run | str) -> Run:
    if not isinstance(function, str):
        return function
    module, _, own = function.partition(":")
    found: Run = getattr(import_module(module), own)
    return found


def _summary(function: Run | str) -> str:
    """What a command does in a line, whole, for lists of commands and for shells."""
    page = cleandoc(_found(function).__doc__ or "")
    return page.partition("\n")[0].removesuffix(".")


def _command(named: Run | str, name: str) -> Any:  # noqa: ANN401
    function = _found(named)
    page, summary = cleandoc(function.__doc__ or ""), _summary(function)
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
    alone = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )
    alone.command(name, cls=PageCommand, help=page, short_help=summary)(run)
    return typer.main.get_command(alone)


@cache
def _shared_parameters() -> list[Parameter]:
    return [
        each.replace(default=_DEFAULTS.get(each.name, False))
        for each in signature(shared, eval_str=True).parameters.values()
    ]
