"""Who signed what a lock pins, from one lock to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub_client.lockfile import LockedOperator, Lockfile


def keep_signers(lock: Lockfile, previous: Lockfile) -> Lockfile:
    """The lock, with the signers of what did not change since.

    Who requires no signature of a source looks for none, and should not take from a
    lock what somebody else found.
    """
    before = {(each.name, each.revision): each.signer for each in previous.operators}

    def kept(locked: LockedOperator) -> LockedOperator:
        signer = before.get((locked.name, locked.revision))
        return locked if locked.signer else replace(locked, signer=signer)

    return replace(lock, operators=tuple(map(kept, lock.operators)))


def signer_changes(lock: Lockfile, previous: Lockfile) -> Iterator[str]:
    """A sentence for each operator that somebody else signed than before, or nobody."""
    before = {each.name: each for each in previous.operators}
    for locked in lock.operators:
        old = before.get(locked.name)
        if old is not None and old.signer and locked.signer != old.signer:
            yield (
                f"{locked.name} {locked.version} is signed by "
                f"{locked.signer or 'nobody whose signature you require'}; "
                f"{old.version} was by {old.signer}"
            )
