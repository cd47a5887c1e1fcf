"""``hub tree``, ``why``, ``outdated``: what is pinned, for whom, and what is newer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub_client.cli import options
from hub_client.cli.console import format_table
from hub_client.cli.session import Session

if TYPE_CHECKING:
    from hub_client.needs import Needs

SomeNames = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]…", help="Names of operators.")
]


def tree(
    session: Session, names: SomeNames = None, *, as_json: options.Json = False
) -> None:
    """Show which operator brings which.

    Of the project's lock; outside a project, of what is installed.
    """
    from plugin_spec.names import OperatorName  # noqa: PLC0415  (slow)

    needs = _needs(session)
    wanted = [OperatorName.parse(name) for name in names or ()]
    if as_json:
        session.console.result_json(
            {
                str(each.name): {
                    "version": str(each.version),
                    "requested": each.name in needs.roots,
                    "operators": list(each.operators.values()),
                    "packages": list(each.packages.values()),
                }
                for each in needs.found.values()
            }
        )
    elif lines := list(needs.tree(wanted or None)):
        session.console.result("\n".join(lines))
    else:
        session.console.say("Nothing is asked for")


def why(
    session: Session,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="An operator or a Python package.")
    ],
    *,
    as_json: options.Json = False,
) -> None:
    """Say why an operator or a Python package is needed.

    Every chain from what the project asks for; outside a project, from what was
    asked for on the command line.
    """
    paths = list(_needs(session).paths(name))
    if as_json:
        session.console.result_json([list(path) for path in paths])
        return
    blocks = (
        "\n".join(f"{'  ' * depth}{step}" for depth, step in enumerate(path))
        for path in paths
    )
    session.console.result("\n\n".join(blocks))


def outdated(session: Session, *, as_json: options.Json = False) -> None:
    """List operators of which there is something newer, or that were yanked.

    Of the project's lock; outside a project, of what is installed. `fits` is what
    `hub lock --upgrade` would take as far as the versions that are asked for say.
    """
    from hub_client.lockfile.changes import space_lines  # noqa: PLC0415  (slow)
    from hub_client.newer import find_newer  # noqa: PLC0415

    project = session.project()
    with session.console.working("Asking the sources"):
        found = find_newer(_needs(session), session.router())
    if as_json:
        session.console.result_json([each.to_dict() for each in found])
        return
    if not found:
        what = "locked" if project else "installed"
        session.console.say(f"Everything that is {what} is the newest")
        return
    header = ("operator", "here", "fits", "newest")
    session.console.result(format_table([header, *(each.row() for each in found)]))
    for each in found:
        if each.yanked is not None:
            here = f"{each.name} {each.version}"
            session.console.warn(f"{here} was yanked: {each.yanked}")
        if each.space:
            other = f"{each.name} {each.fitting or each.newest}"
            lines = "\n    ".join(space_lines(each.space))
            session.console.warn(f"{other} makes {lines}")


def _needs(session: Session) -> Needs:
    from hub_client.lockfile import Lockfile  # noqa: PLC0415  (slow, as the next)
    from hub_client.needs import Needs  # noqa: PLC0415

    project = session.project()
    if project is None:
        return Needs.of_receipts(session.environment().receipts())
    lock = Lockfile.load(project.lock_path)
    return Needs.of_lock(lock, {each.name: str(each) for each in project.operators})
