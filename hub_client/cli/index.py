"""``hub index``: for those who keep an index."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub_client.cli import options
from hub_client.cli.console import format_count, report
from hub_client.cli.session import Session

if TYPE_CHECKING:
    from hub_client.cli.progress import Progress
    from hub_client.index.build import Change, IndexFolder
    from hub_client.index.listing import Listed
    from hub_client.publisher.index_target import IndexUpdate
    from plugin_spec.errors import HubError

_MARKS = {"add": "+", "skip": "-", "gone": "-"}
_WORDS = {
    "add": "",
    "yank": "yanked: ",
    "restore": "offered again",
    "move": "moved to ",
    "skip": "left out: ",
    "gone": "is not at its source any more, and stays listed",
}


def build(
    session: Session,
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of the index.")
    ],
    *,
    listing: Annotated[
        Path,
        typer.Option(
            "--from",
            metavar="LIST",
            exists=True,
            dir_okay=False,
            help="A text file: on each line a name and its source.",
        ),
    ],
    recheck: Annotated[
        bool,
        typer.Option("--recheck", help="Fetch and hash also what is indexed already."),
    ] = False,
    as_json: options.Json = False,
) -> int:
    """Make an index of operators, or bring one up to date.

    LIST has a name and a source on each line, `git+URL` or `hf:ORG/REPO`, in which
    {name} and {namespace} are filled. New versions are fetched and hashed; what is
    indexed stays, and a version that is another one at its source now is refused.
    Nothing of an operator is run. DIR is a plain folder: commit it and push it.
    """
    from hub_client.index.build import IndexFolder  # noqa: PLC0415  (slow)
    from hub_client.index.listing import read_listing  # noqa: PLC0415
    from plugin_spec.errors import HubError  # noqa: PLC0415

    listed = read_listing(listing)
    index = IndexFolder(folder)
    index.check_writable()
    changes: list[Change] = []
    problems: list[tuple[Listed, HubError]] = []
    with session.console.working("Reading sources", total=len(listed)) as progress:
        for each in listed:
            try:
                changes += _update(
                    session, index, each, recheck=recheck, progress=progress
                )
            except HubError as error:
                # One that cannot be read stops no other.
                problems.append((each, error))
            progress.advance()
    _show(session, index, changes, problems, as_json=as_json)
    return 1 if problems else 0


def update(  # noqa: PLR0913  (one a flag)
    session: Session,
    index: Annotated[
        str, typer.Argument(metavar="INDEX", help="The index: `index+URL`.")
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="An operator's name.")],
    *,
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="SOURCE",
            help="Where it is published, if the index does not know it yet: `git+URL` "
            "or `hf:ORG/REPO`; {name} is filled in.",
        ),
    ] = None,
    propose: options.Propose = False,
    as_json: options.Json = False,
) -> None:
    """Tell an index of an operator's versions, by a push.

      hub index update index+https://git.acme.example/index.git acme/embed

    New versions are fetched and hashed, and what was yanked is noted, as `hub index
    build` does for a list of operators. One commit changes this operator's file
    alone. Your own git proves who you are.
    """
    from hub_client.cli.publish import online_cache  # noqa: PLC0415  (as it is used)
    from hub_client.publisher.index_target import IndexTarget  # noqa: PLC0415
    from plugin_spec.names import OperatorName  # noqa: PLC0415

    target = IndexTarget(index, cache_dir=online_cache(session))
    with session.console.working(f"Reading the versions of {name}"):
        updated = target.update(OperatorName.parse(name), source, propose=propose)
    if as_json:
        session.console.result_json(updated.to_dict())
    elif updated.changes:
        session.console.result("\n".join(map(_line, updated.changes)))
    tell_update(session, updated)


def tell_update(session: Session, updated: IndexUpdate) -> None:
    """Say where an update of an index went, and what is to do now."""
    where = f"`{updated.index}`"
    if updated.is_proposal:
        done = "Proposed" if updated.commit else "It is proposed already"
        session.console.say(
            f"{done} in the branch `{updated.branch}` of {where}\n\n"
            "hint: Open a pull request of that branch"
        )
    elif updated.commit is None:
        rest = any(each.kind == "skip" for each in updated.changes)
        session.console.say(f"{where} lists {'the rest' if rest else 'that'} already")
    else:
        session.console.say(f"Updated {where}")


def _update(
    session: Session,
    index: IndexFolder,
    listed: Listed,
    *,
    recheck: bool,
    progress: Progress,
) -> tuple[Change, ...]:
    from hub_client.sources.router import open_source  # noqa: PLC0415  (slow)

    config = session.config()
    source = open_source(
        listed.source,
        cache_dir=config.cache_dir,
        offline=config.offline,
        trusted=True,  # as far as that all its files are hashed here
    )
    return index.update(
        listed,
        source,
        recheck=recheck,
        on_read=lambda release: progress.tell(
            f"Reading {listed.name} {release.version}"
        ),
    )


def _show(
    session: Session,
    index: IndexFolder,
    changes: list[Change],
    problems: list[tuple[Listed, HubError]],
    *,
    as_json: bool,
) -> None:
    operators, versions = index.count()
    if as_json:
        result: dict[str, Any] = {
            "folder": str(index.path),
            "operators": operators,
            "versions": versions,
            "changes": [each.to_dict() for each in changes],
            "problems": [
                {"name": str(listed.name), "message": str(error)}
                for listed, error in problems
            ],
        }
        session.console.result_json(result)
    elif changes:
        session.console.result("\n".join(map(_line, changes)))
    for _, error in problems:
        report(str(error), hint=error.hint)
    session.console.say(
        f"`{index.path}` lists {format_count(operators, 'operator')} "
        f"with {format_count(versions, 'version')}"
    )


def _line(change: Change) -> str:
    mark = _MARKS.get(change.kind, "~")
    words = f"{_WORDS[change.kind]}{change.note}"
    return f"{mark} {change.name} {change.version}  {words}".rstrip()
