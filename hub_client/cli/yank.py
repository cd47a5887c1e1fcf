"""``hub yank``: a published version that nobody should choose any more."""

from __future__ import annotations

from typing import Annotated

import typer

from hub_client.cli import options
from hub_client.cli.publish import online_cache
from hub_client.cli.session import Session


def yank(  # noqa: PLR0913  (one a flag)
    session: Session,
    version: Annotated[
        str, typer.Argument(metavar="NAME==VERSION", help="The published version.")
    ],
    *,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="SOURCE",
            help="Where it is published, or an index that knows; if not given, where "
            "configuration says.",
        ),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option("--reason", metavar="TEXT", help="Why; from git users are told."),
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Offer the version again.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Withdraw a published version, or offer it again.

    Nobody gets it who does not pin that very version. A lock that has it keeps
    working, for nothing is deleted: a tag yanked-vX.Y.Z says so beside the
    version's own, and `--undo` removes it.
    """
    if undo and reason is not None:
        raise typer.BadParameter(
            "`--reason` says why a version is yanked, and `--undo` takes none"
        )
    from hub_client.candidate import WITHDRAWN  # noqa: PLC0415  (slow)
    from hub_client.publisher import open_target  # noqa: PLC0415
    from hub_client.publisher.pinned import (  # noqa: PLC0415
        NotPublished,
        find_release,
        listed_source,
        parse_pinned,
    )
    from hub_client.sources import BUNDLED, INDEX  # noqa: PLC0415

    name, wanted = parse_pinned(version)
    cache_dir = online_cache(session)
    router = session.router(sources={str(name): at} if at else None)
    spec = router.source_spec(name)
    if spec == BUNDLED:
        raise NotPublished(
            f"Nobody publishes {name} to `{BUNDLED}`, which ships with hub"
            if at
            else f"Configuration does not say where {name} is published",
            hint="Say where with `--at git+URL` or `--at hf:ORG/REPO`",
        )
    index = spec if spec.startswith(INDEX) else None
    if index:
        spec = listed_source(index, router.versions(name), name, wanted)
    target = open_target(spec, name, cache_dir=cache_dir)
    release = find_release(target, name, wanted)
    changed = (release.yanked is not None) == undo
    if changed and undo:
        target.restore(release)
    elif changed:
        target.yank(release, reason or WITHDRAWN)
        if reason and not target.tells_reasons:
            session.console.warn(f"users are told no reason there, but `{WITHDRAWN}`")
    words = "offered again" if undo else "yanked"
    state = words if changed else f"{words} already"
    session.console.say(f"{name} {wanted} is {state} at `{target.spec}`")
    if index and changed:
        session.console.say(
            f"\nhint: `hub index update {index} {name}` tells the index"
        )
    if as_json:
        session.console.result_json(
            {
                "name": str(name),
                "version": str(wanted),
                "source": target.spec,
                "yanked": not undo,
                "changed": changed,
            }
        )
