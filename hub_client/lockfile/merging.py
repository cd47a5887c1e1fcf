"""A lock that a merge left unfinished, or at odds with itself: what it pinned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_client.lockfile.lockfile import (
    InvalidLockfile,
    Lockfile,
    NewerLockfile,
    UnfitLockfile,
)
from hub_client.merge_markers import MARKER

if TYPE_CHECKING:
    from collections.abc import Iterator


def read_both_sides(text: str) -> Lockfile | None:
    """What both sides of a merge pin, ours where they differ.

    It may contradict itself, and is no project's, so it is good for preferences alone:
    locking anew keeps of it what fits.

    :returns: None if neither side reads; without markers both are the text itself.
    :raises NewerLockfile: if one is of a later format.
    """
    sides = [lock for side in ("theirs", "ours") if (lock := _read(text, side))]
    if not sides:
        return None
    operators = {each.name: each for lock in sides for each in lock.operators}
    packages = {
        (each.name, each.marker): each for lock in sides for each in lock.packages
    }
    return Lockfile((), tuple(operators.values()), tuple(packages.values()))


def _read(text: str, side: str) -> Lockfile | None:
    try:
        return Lockfile.loads("\n".join(_lines(text, side)))
    except NewerLockfile:
        raise
    except UnfitLockfile as error:
        # What git took from the other branch may not fit this one's side.
        return error.lock
    except InvalidLockfile:
        return None


def _lines(text: str, side: str) -> Iterator[str]:
    """The lines of one side: those outside of conflicts, and its own within."""
    at = "both"
    for line in text.split("\n"):
        if found := MARKER.match(line):
            at = {"<": "ours", "|": "base", "=": "theirs", ">": "both"}[found[1][0]]
        elif at in {"both", side}:
            yield line
