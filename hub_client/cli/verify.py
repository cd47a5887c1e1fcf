"""``hub verify``: whether everything is what it was when it came."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from hub_client.cli import options
from hub_client.cli.console import format_count
from hub_client.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hub_client.environment import Environment
    from hub_client.lockfile import Lockfile
    from hub_client.sources.router import SourceRouter
    from hub_client.verification import Place, Verification


def verify(
    session: Session,
    *,
    python: options.Python = None,
    signatures: Annotated[
        bool,
        typer.Option(
            "--signatures",
            help="Check again every signature that your configuration requires.",
        ),
    ] = False,
    place: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="DIR|URL",
            help="Take signatures from this bundle, and from nowhere else.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> int:
    """Hash again what is installed and locked, and name every difference.

    Trees of operators against their digests, receipts and hub.lock against one
    another and against the operators' own manifests, Python packages that the lock
    pins and nothing asks for, or that are here in another version, and weights,
    where they are in the cache. Nothing of them is run, and nothing comes into the
    store. A source is asked only which file differs, and for signatures.
    """
    if place is not None and not signatures:
        raise typer.BadParameter("it is for `--signatures`", param_hint="`--from`")
    checked = _verified(session, python=python, signatures=signatures, place=place)
    if as_json:
        session.console.result_json(_as_json(checked))
    elif checked.differences:
        session.console.result("\n".join(map(str, checked.differences)))
    for subject, reason in checked.unchecked:
        session.console.say(f"Not checked: {subject}: {reason}")
    looked_at = (
        f"{format_count(checked.operators, 'tree')}, "
        f"{format_count(len(checked.receipts), 'receipt')} and "
        f"{format_count(checked.weights, 'file')} of weights"
    )
    if signatures:
        looked_at = f"{format_count(checked.signatures, 'signature')}, {looked_at}"
    if found := len(checked.differences):
        session.console.problem(
            f"{format_count(found, 'difference')} in {looked_at}\n\n"
            f"hint: {_way_on(session, checked, place)}"
        )
        return 1
    session.console.say(f"Verified {looked_at}")
    return 0


_WAYS_ON: Final[Mapping[Place, str]] = {
    "store": "Delete a folder that was changed; `hub sync` fetches it again",
    "environment": "`hub sync` makes the environment match the lock",
    "lock": "Take `hub.lock` as it was committed, or pin anew by `hub lock --upgrade`",
    "weights": "Delete a file that is another one; `hub sync --weights` fetches it",
    "signature": "Ask the publisher about it before you run any of it",
}


_WAYS_ON_ALONE: Final[Mapping[Place, str]] = {
    "store": "Delete a folder that was changed; `hub install NAME` fetches it again",
    "environment": "`hub install NAME` brings back what is missing",
}
"""Where no project has a lock to sync with."""


def _way_on(session: Session, checked: Verification, place: str | None) -> str:
    from hub_client.verification import DAMAGED  # noqa: PLC0415  (slow)

    ways = dict(_WAYS_ON)
    is_alone = session.project() is None
    if is_alone:
        ways |= _WAYS_ON_ALONE
    if any(each.message == DAMAGED for each in checked.differences):
        command = "hub install NAME" if is_alone else "hub sync"
        ways["environment"] = (
            f"Remove a receipt that does not read back; `{command}` writes it again"
        )
    if checked.unanswered and place is None:
        ways["signature"] += (
            "; `--from` takes what its source does not give from a bundle"
        )
    places = {each.place for each in checked.differences}
    return "\n".join(way for place, way in ways.items() if place in places)


def _verified(
    session: Session, *, python: Path | None, signatures: bool, place: str | None
) -> Verification:
    from hub_client.lockfile import Lockfile, NoLockfile  # noqa: PLC0415  (slow)
    from hub_client.verification import Verification  # noqa: PLC0415

    project, environment = session.project(), session.environment(python)
    checked = Verification(session.store(), session.router().files)
    lock = Lockfile((), (), ())
    if project is not None:
        with suppress(NoLockfile):
            lock = Lockfile.load(project.lock_path)
    total = len(environment.receipt_files()) + len(lock.operators)
    total += sum(len(each.weights) for each in lock.operators)
    with session.console.working("Verifying", total=total) as progress:
        for _ in checked.verify_environment(environment):
            progress.advance()
        for _ in checked.verify_lock(lock):
            progress.advance()
        checked.verify_packages(lock, environment)
        if signatures:
            router = session.router()
            if place is not None:
                router = _open_bundle(session, place, lock, environment)
            for _ in _signatures(session, checked, lock, router):
                progress.advance()
    return checked


def _open_bundle(
    session: Session, place: str, lock: Lockfile, environment: Environment
) -> SourceRouter:
    from hub_client.bundle.reading import Bundle  # noqa: PLC0415  (slow)
    from hub_client.bundle.router import BundleRouter  # noqa: PLC0415

    config = session.config()
    bundle = Bundle.open(place, offline=config.offline)
    offer = bundle.offer(lock, environment)
    return BundleRouter(bundle.place, offer, lock.operators, cache_dir=config.cache_dir)


def _signatures(
    session: Session, checked: Verification, lock: Lockfile, router: SourceRouter
) -> Iterator[str]:
    from hub_client.admission import find_signer  # noqa: PLC0415  (slow)

    config = session.config()
    find = partial(
        find_signer, config=config, router=router, directory=session.project_folder()
    )
    return checked.verify_signatures(lock, find)


def _as_json(checked: Verification) -> dict[str, Any]:
    return {
        "operators": checked.operators,
        "receipts": len(checked.receipts),
        "weights": checked.weights,
        "signatures": checked.signatures,
        "differences": [asdict(each) for each in checked.differences],
        "unchecked": [
            {"subject": subject, "reason": reason}
            for subject, reason in checked.unchecked
        ],
    }
