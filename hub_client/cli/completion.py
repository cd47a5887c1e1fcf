"""``hub completion``: what a shell offers after the tabulator key."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from hub_client.cli.console import Console
from hub_client.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterable

VARIABLE: Final = "_HUB_COMPLETE"
"""By which a script of ours asks ``hub`` what could follow."""


def completion(
    session: Session,
    shell: Annotated[
        Literal["bash", "zsh", "fish"],
        typer.Argument(metavar="SHELL", help="`bash`, `zsh` or `fish`."),
    ],
) -> None:
    """Print the script that completes `hub` in a shell.

    It completes commands, flags, their choices and names of operators. Have your
    shell read it whenever it starts:

      bash  eval "$(hub completion bash)"  in ~/.bashrc
      zsh   eval "$(hub completion zsh)"   in ~/.zshrc, after compinit
      fish  hub completion fish | source   in ~/.config/fish/config.fish
    """
    from typer.completion import (  # type: ignore[attr-defined]  # noqa: PLC0415
        get_completion_script,
    )

    script = get_completion_script(prog_name="hub", complete_var=VARIABLE, shell=shell)
    session.console.result(script.strip())


def enable_completion() -> None:
    """Answer a shell that asks what could follow, instead of running a command."""
    if VARIABLE in os.environ:
        from typer.completion import (  # type: ignore[attr-defined]  # noqa: PLC0415
            completion_init,
        )

        completion_init()


def known_names(incomplete: str) -> list[str]:
    """Operators that are installed, bundled or listed where configuration leads.

    No network is used, and what cannot be read is not offered.
    """
    names = set(installed_names(incomplete))
    with suppress(Exception):
        names |= _starting(_listed(), incomplete)
    return sorted(names)


def installed_names(incomplete: str) -> list[str]:
    """Operators that are installed."""
    with suppress(Exception):
        from hub_client.environment import Environment  # noqa: PLC0415  (slow)

        receipts = Environment.current().receipts()
        return sorted(_starting((str(each.name) for each in receipts), incomplete))
    return []


def needed_operators(incomplete: str) -> list[str]:
    """Operators that are locked; outside a project, that are installed."""
    with suppress(Exception):
        found = map(str, Session(Console()).needs().found)
        return sorted(_starting(found, incomplete))
    return []


def needed_names(incomplete: str) -> list[str]:
    """These, and the Python packages that are there for them."""
    with suppress(Exception):
        packages = _starting(Session(Console()).needs().python, incomplete)
        return [*needed_operators(incomplete), *sorted(packages)]
    return []


def _listed() -> Iterable[str]:
    router = Session(Console(), offline=True).router()
    return map(str, router.names())


def _starting(names: Iterable[str], incomplete: str) -> set[str]:
    return {name for name in names if name.startswith(incomplete)}
