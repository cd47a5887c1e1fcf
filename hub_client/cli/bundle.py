"""``hub bundle`` and ``hub mirror``: all that a lock needs, in a folder."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from hub_client.cli import options
from hub_client.cli.console import format_count, format_size
from hub_client.cli.session import Session
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hub_client.bundle.collecting import Collector
    from hub_client.bundle.folder import BundleFolder
    from hub_client.bundle.listing import BundleListing
    from hub_client.bundle.platforms import Platform
    from hub_client.lockfile import Lockfile


def _check_platforms(names: list[str] | None) -> list[str] | None:
    from hub_client.bundle.platforms import parse_name  # noqa: PLC0415  (slow)

    return _checked(names, parse_name)


def _check_pythons(versions: list[str] | None) -> list[str] | None:
    from hub_client.bundle.platforms import parse_python  # noqa: PLC0415  (as above)

    return _checked(versions, parse_python)


def _checked(
    texts: list[str] | None, parse: Callable[[str], object]
) -> list[str] | None:
    """The texts as they are.

    :raises typer.BadParameter: for the first that does not parse.
    """
    try:
        for text in texts or ():
            parse(text)
    except HubError as error:
        raise typer.BadParameter(str(error)) from error
    return texts


Platforms: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--platform",
        callback=_check_platforms,
        metavar="NAME",
        help="For this platform: `linux-x86_64`, `linux-aarch64`, `macos-arm64`, "
        "`macos-x86_64`, `windows-x86_64`, `windows-arm64`, or as uv names it. May be "
        "given several times; this machine's if not given.",
    ),
]
Pythons: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--python",
        callback=_check_pythons,
        metavar="VERSION",
        help="For this Python, as `3.12`. May be given several times; the version "
        "that runs `hub` if not given.",
    ),
]
NoWeights: TypeAlias = Annotated[
    bool, typer.Option("--no-weights", help="Leave out the weights.")
]


def bundle(  # noqa: PLR0913  (one a flag)
    session: Session,
    *,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="DIR", help="The folder to make.", show_default=""
        ),
    ],
    platforms: Platforms = None,
    pythons: Pythons = None,
    no_weights: NoWeights = False,
    trust_once: options.TrustOnce = False,
    as_json: options.Json = False,
) -> None:
    """Collect all that hub.lock needs, for machines without a network.

      hub bundle -o wheelhouse --platform linux-x86_64 --python 3.12
      hub sync --from wheelhouse

    DIR gets the operators, the Python packages as wheels, the weights that the
    lock pins, and the signatures that your configuration requires. Carry it to the
    other machine, and sync from it there, in the project. Nothing of an operator is
    run. An interrupted run continues, and the same bundle again is done at once.
    """
    from hub_client.bundle.folder import BundleFolder  # noqa: PLC0415  (slow)
    from hub_client.bundle.platforms import parse_platforms  # noqa: PLC0415
    from hub_client.bundle.reading import lock_digest  # noqa: PLC0415

    lock, collector = _start(session, trust_once=trust_once)
    wanted = parse_platforms(platforms or (), pythons or (), here=session.environment())

    def accepts(before: BundleListing | None) -> bool:
        asked = lock_digest(lock), wanted
        return before is not None and before.is_for(*asked, weights=not no_weights)

    with BundleFolder.open(output, accepts=accepts) as folder:
        listing = collector.collect(lock, wanted, folder, weights=not no_weights)
    if as_json:
        session.console.result_json(_as_json(folder, listing))
        return
    session.console.say(_collected(folder, listing))
    there = shlex.quote(str(output))
    session.console.say(f"There, in the project: `hub sync --from {there}`")


def mirror(  # noqa: PLR0913  (one a flag)
    session: Session,
    path: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to keep.")],
    *,
    platforms: Platforms = None,
    pythons: Pythons = None,
    no_weights: NoWeights = False,
    recheck: Annotated[
        bool, typer.Option("--recheck", help="Hash also what is there already.")
    ] = False,
    trust_once: options.TrustOnce = False,
    as_json: options.Json = False,
) -> None:
    """Make a bundle, or bring one up to date with hub.lock.

    Only what changed is fetched. Who reads meanwhile sees the old bundle or the
    new one: the listing changes last, and what the old one named stays until the
    next run. Platforms and weights stay as they were unless they are named.

    Any static web server can give DIR: `hub sync --from https://…` reads it.
    """
    from hub_client.bundle.folder import BundleFolder  # noqa: PLC0415  (slow)
    from hub_client.bundle.platforms import parse_platforms  # noqa: PLC0415

    lock, collector = _start(session, trust_once=trust_once)
    with BundleFolder.open(path, recheck=recheck) as folder:
        before = folder.before
        if before is None or platforms or pythons:
            wanted = parse_platforms(
                platforms or (), pythons or (), here=session.environment()
            )
        else:
            wanted = before.platforms
        weights = not no_weights and (before is None or before.weights)
        listing = collector.collect(lock, wanted, folder, weights=weights)
    _tell_mirror(session, folder, listing, as_json=as_json)


def _start(session: Session, *, trust_once: bool) -> tuple[Lockfile, Collector]:
    """The lock of this folder's project, and what collects what it pins."""
    from hub_client.bundle.collecting import Collector  # noqa: PLC0415  (slow)
    from hub_client.cli.lock_file import NoProject, current_lock  # noqa: PLC0415
    from hub_client.cli.trust_once import TrustOnce  # noqa: PLC0415
    from hub_client.packages import open_locker  # noqa: PLC0415

    project = session.project()
    if project is None:
        raise NoProject
    config = session.config()
    router = session.router(config, trust_all=trust_once)
    collector = Collector(
        store=session.store(),
        router=router,
        config=config,
        installer=open_locker(offline=config.offline),
        requires_python=project.requires_python,
        directory=session.project_folder(),
        once=TrustOnce(session.console, router, session.store()).tell
        if trust_once
        else None,
        on_step=session.console.say if session.console.progress else lambda _: None,
    )
    return current_lock(project), collector


def _tell_mirror(
    session: Session, folder: BundleFolder, listing: BundleListing, *, as_json: bool
) -> None:
    if as_json:
        session.console.result_json(_as_json(folder, listing))
        return
    changes = [f"+ {path}" for path in sorted(folder.added)]
    changes += [f"- {path}" for path in sorted(folder.removed)]
    if changes:
        session.console.result("\n".join(changes))
    if folder.before == listing and not folder.added:
        session.console.say(f"`{folder.path}` is up to date")
    else:
        session.console.say(_collected(folder, listing))


def _collected(folder: BundleFolder, listing: BundleListing) -> str:
    counts = _counts(listing)
    nouns = {
        "operators": "operator",
        "wheels": "wheel",
        "weights": "weights file",
        "signatures": "signature",
    }
    parts = [format_count(counts[key], nouns[key]) for key in nouns if counts[key]]
    return (
        f"`{folder.path}` has {_joined(parts) or 'nothing'} "
        f"for {_joined(_grouped(listing.platforms))}, {format_size(_size(listing))}"
    )


def _grouped(platforms: tuple[Platform, ...]) -> list[str]:
    """Platforms in words, those with the same Pythons together."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in dict.fromkeys(each.name for each in platforms):
        pythons = tuple(each.python for each in platforms if each.name == name)
        groups.setdefault(pythons, []).append(name)
    return [
        f"{_joined(names)} with Python {_joined(pythons)}"
        for pythons, names in groups.items()
    ]


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _counts(listing: BundleListing) -> dict[str, int]:
    found = {*(tuple(path.split("/")[:2]) for path in listing.files)}
    counted = Counter(folder for folder, _ in found)
    kinds = ("wheels", "weights", "signatures")
    return {"operators": counted["trees"], **{each: counted[each] for each in kinds}}


def _size(listing: BundleListing) -> int:
    return sum(file.size for file in listing.files.values())


def _as_json(folder: BundleFolder, listing: BundleListing) -> dict[str, object]:
    return {
        "folder": str(folder.path),
        "lock": listing.lock,
        "platforms": [
            {"platform": each.name, "python": each.python} for each in listing.platforms
        ],
        **_counts(listing),
        "bytes": _size(listing),
        "added": sorted(folder.added),
        "removed": sorted(folder.removed),
    }
