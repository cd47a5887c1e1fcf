"""``hub cache``: what was fetched, how much it is, and what of it may go."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub_client.cli import options
from hub_client.cli.console import confirm, format_count, format_size, format_table
from hub_client.cli.session import Session
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub_client.cache import Cache, DamagedTree, Removal
    from hub_client.roots import Root

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what would go, and remove nothing.")
]
Everything = Annotated[
    bool,
    typer.Option(
        "--all", help="Remove the operators that living environments run, too."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="With --all: do not ask.")]


class StillRun(HubError):
    """Operators would go that environments run, and nobody confirmed that."""


def directory(session: Session, *, as_json: options.Json = False) -> None:
    """Print the folder of the cache.

    Trees of operators, mirrors of git repositories and what else can be fetched
    again. Every environment shares it. Set HUB_CACHE_DIR to have it elsewhere.
    """
    path = str(session.config().cache_dir)
    if as_json:
        session.console.result_json({"path": path})
    else:
        session.console.result(path)


def size(session: Session, *, as_json: options.Json = False) -> None:
    """Tell how much is in the cache, by kind.

    Operators are what environments run. Repositories are mirrors of git and notes
    on Hugging Face; indexes are catalogues of searches. Weights and Python packages
    lie in the caches of Hugging Face's own tools and of uv.
    """
    cache = _open(session)
    parts = {
        "operators": (0, 0),
        "repositories": (0, 0),
        "indexes": (0, 0),
        "unfinished": (0, 0),
    }
    for each in cache.entries():
        number, total = parts[each.kind]
        parts[each.kind] = (number + 1, total + each.size)
    total = sum(size for _, size in parts.values())
    if as_json:
        session.console.result_json(
            {
                "path": str(cache.folder),
                "size": total,
                "parts": {
                    kind: {"count": number, "size": size}
                    for kind, (number, size) in parts.items()
                },
            }
        )
        return
    rows = [(kind, str(n), format_size(size)) for kind, (n, size) in parts.items() if n]
    rows.append(("total", "", format_size(total)))
    session.console.result(format_table(rows))


def prune(
    session: Session, *, dry_run: DryRun = False, as_json: options.Json = False
) -> None:
    """Remove the operators that nothing needs any more.

    What a receipt of a living environment names stays, and what the hub.lock of a
    project names that was locked or synced here. An environment or project that is
    not where it was is forgotten, with what it alone needed. Waits for commands
    that are installing, and those that start meanwhile wait for it.
    """
    removal = _open(session).prune(
        dry_run=dry_run, waiting=lambda: session.console.say(_WAITING)
    )
    _tell(session, removal, dry_run=dry_run, as_json=as_json)


def clean(
    session: Session,
    *,
    everything: Everything = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Remove all that can be fetched again and that no environment runs.

    What `hub cache prune` removes, and mirrors of repositories, notes and
    catalogues. With `--all` also the operators that environments run: these then
    need `hub sync`, or fetch each again when it is first used.
    """
    cache = _open(session)
    if everything and not (yes or dry_run):
        _confirm(cache)
    removal = cache.clean(
        everything=everything,
        dry_run=dry_run,
        waiting=lambda: session.console.say(_WAITING),
    )
    stays = "goes, too" if everything else "stays"
    _tell(session, removal, dry_run=dry_run, as_json=as_json, stays=stays)


def verify(session: Session, *, as_json: options.Json = False) -> int:
    """Hash every operator in the cache again, and name each difference.

    `hub verify` looks at what one environment and project use; this looks at all
    that is here.
    """
    cache, console = _open(session), session.console
    checked, damaged = 0, []
    total = len(cache.store.digests())
    with console.working("Verifying", total=total) as progress:
        for _, found in cache.verify():
            checked += 1
            damaged += [found] if found else []
            progress.advance()
    details = [_details(session, cache, each) for each in damaged]
    if as_json:
        console.result_json({"operators": checked, "differences": details})
    else:
        for each in details:
            lines = "".join(f"\n  {line}" for line in each["details"])
            console.result(f"{each['subject']}: {each['message']}{lines}")
    looked_at = format_count(checked, "operator")
    if damaged:
        console.problem(
            f"{format_count(len(damaged), 'difference')} in {looked_at}\n\n"
            "hint: Delete a folder that was changed; `hub sync` fetches it again"
        )
        return 1
    console.say(f"Verified {looked_at}")
    return 0


_WAITING = "Waiting for other commands of hub"


def _open(session: Session) -> Cache:
    from hub_client.cache import Cache  # noqa: PLC0415  (slow)

    return Cache(session.config().cache_dir, current=Path(sys.prefix))


def _confirm(cache: Cache) -> None:
    """Ask, naming the environments whose operators go.

    :raises StillRun: if nobody is there to ask.
    """
    running = [
        each for each in cache.roots() if each.is_living and each.kind == "environment"
    ]
    running = [each for each in running if each.digests()]
    if not running:
        return
    lines = "".join(f"\n  {each.path}" for each in running)
    verb = "runs" if len(running) == 1 else "run"
    told = (
        f"Operators go that {format_count(len(running), 'environment')} {verb}{lines}"
    )
    unasked = StillRun(told, hint="Pass `--yes`, or leave `--all` away")
    confirm(f"{told}\nRemove them?", unasked=unasked)


def _tell(
    session: Session,
    removal: Removal,
    *,
    dry_run: bool,
    as_json: bool,
    stays: str = "stays",
) -> None:
    console = session.console
    if as_json:
        console.result_json({"dry_run": dry_run, **removal.to_dict()})
        return
    tell = console.result if dry_run else console.say
    if removal.entries:
        rows = [
            (f"- {each.subject}", format_size(each.size)) for each in removal.entries
        ]
        tell(format_table(rows))
    forgot = "Would forget" if dry_run else "Forgot"
    for root in removal.gone:
        # Of an environment its folder counts, of a project its lock.
        why = "has no `hub.lock` any more" if root.path.exists() else "is gone"
        console.say(f"{forgot} the {root.kind} `{root.path}`, which {why}")
    if not removal.entries:
        console.say(f"Nothing to remove; {_needed(removal.living)} stays")
        return
    verb = "Would remove" if dry_run else "Removed"
    count = format_count(len(removal.entries), "item")
    needed = _needed(removal.living)
    console.say(f"{verb} {count}, {format_size(removal.size)}; {needed} {stays}")


def _needed(living: tuple[Root, ...]) -> str:
    kinds = [each.kind for each in living]
    environments = format_count(kinds.count("environment"), "environment")
    projects = format_count(kinds.count("project"), "project")
    return f"what {environments} and {projects} need"


def _details(session: Session, cache: Cache, damaged: DamagedTree) -> dict[str, Any]:
    """A difference in words: which files, if the source that they are from tells."""
    files = list(_differing_files(session, cache, damaged))
    return {
        "digest": damaged.digest,
        "subject": damaged.entry.subject,
        "message": f"the files in `{damaged.entry.path}` are not those "
        "that were fetched",
        "details": files or list(damaged.problems),
    }


def _differing_files(
    session: Session, cache: Cache, damaged: DamagedTree
) -> Iterator[str]:
    from hub_client.listed_file import differing_files  # noqa: PLC0415  (seldom)

    router = session.router()
    receipts = (each for root in cache.roots() for each in root.receipts())
    for receipt in receipts:
        if receipt.tree == damaged.digest:
            with suppress(HubError, OSError):  # else the digests say enough
                yield from differing_files(damaged.entry.path, router.files(receipt))
            return
