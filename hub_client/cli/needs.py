"""``hub tree``, ``why``, ``outdated``: what is pinned, for whom, and what is newer."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hub_client.cli import options
from hub_client.cli.completion import needed_names, needed_operators
from hub_client.cli.console import format_table
from hub_client.cli.session import Session

if TYPE_CHECKING:
    from hub_client.sources.router import SourceRouter
    from plugin_spec.errors import HubError

SomeNames = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME]…", help="Names of operators.", autocompletion=needed_operators
    ),
]
_MOST_CHAINS: Final = 100


def tree(
    session: Session, names: SomeNames = None, *, as_json: options.Json = False
) -> None:
    """Show which operator brings which.

    Of the project's lock; outside a project, of what is installed.
    """
    needs, wanted = session.needs(), names or ()
    if as_json:
        session.console.result_json(
            {
                str(each.name): {
                    "version": str(each.version),
                    "requested": each.name in needs.roots,
                    "operators": list(each.operators.values()),
                    "packages": list(each.packages.values()),
                }
                for each in needs.below(wanted).values()
            }
        )
    elif lines := list(needs.tree(wanted)):
        session.console.result("\n".join(lines))
    else:
        session.console.say("Nothing is asked for")


def why(
    session: Session,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="An operator or a Python package.",
            autocompletion=needed_names,
        ),
    ],
    *,
    as_json: options.Json = False,
) -> None:
    """Say why an operator or a Python package is needed.

    Every chain from what the project asks for; outside a project, from what was
    asked for on the command line. Of more than 100, the shortest. A lock does not
    say which Python package needs which.
    """
    chains = session.needs().paths(name)
    paths = list(islice(chains, _MOST_CHAINS))
    if next(chains, None):
        session.console.warn(f"These are the {_MOST_CHAINS} shortest chains of more")
    if as_json:
        session.console.result_json([list(path) for path in paths])
        return
    blocks = (
        "\n".join(f"{'  ' * depth}{step}" for depth, step in enumerate(path))
        for path in paths
    )
    session.console.result("\n\n".join(blocks))


def outdated(session: Session, *, as_json: options.Json = False) -> int:
    """List operators that have newer versions, were yanked or changed.

    Of the project's lock; outside a project, of what is installed. `fits` is what
    `hub lock --upgrade` takes; where a source is silent, as far as others say.
    What a source does not tell is told, and hides nothing that others do.
    """
    from hub_client.locker import oldest_python  # noqa: PLC0415
    from hub_client.lockfile.changes import space_lines  # noqa: PLC0415  (slow)
    from hub_client.newer import find_newer  # noqa: PLC0415

    project, needs = session.project(), session.needs()
    router = session.router() if project else _router_of_installed(session)
    what = "locked" if project else "installed"
    # Many operators may be at one source, which is told once.
    unasked: dict[str, HubError] = {}
    offline = session.config().offline
    doing = "Reading what was fetched before" if offline else "Asking the sources"
    with session.console.working(doing):
        found = find_newer(
            needs,
            router,
            lambda error: unasked.setdefault(str(error), error),
            python=oldest_python(project.requires_python)
            if project
            else session.environment().python_version,
            prerelease=project is not None and project.prerelease,
        )
    for problem in unasked:
        session.console.warn(problem)
    if as_json:
        session.console.result_json([each.to_dict() for each in found])
    elif found:
        header = ("operator", "here", "fits", "newest")
        session.console.result(format_table([header, *(each.row() for each in found)]))
        for each in found:
            if each.yanked is not None:
                here = f"{each.name} {each.version}"
                session.console.warn(f"{here} was yanked: {each.yanked}")
            if each.changed:
                here = f"{each.name} {each.version}"
                session.console.warn(f"{here} has other files now than those {what}")
            if each.space:
                other = f"{each.name} {each.fitting or each.newest}"
                lines = "\n    ".join(space_lines(each.space))
                session.console.warn(f"{other} makes {lines}")
    elif not unasked:
        known = " that was fetched before" if offline else ""
        session.console.say(f"Everything that is {what} is the newest{known}")
    return 1 if unasked else 0


def _router_of_installed(session: Session) -> SourceRouter:
    """What asks where each installed operator is from, whatever the rules say now.

    An index that lists it answers all the same: for many it is asked once.
    """
    router = session.router()
    receipts = session.environment().receipts()
    return session.router(
        sources={
            str(each.name): each.source
            for each in receipts
            if not router.holds(each.name, each.revision, each.source)
        }
    )
