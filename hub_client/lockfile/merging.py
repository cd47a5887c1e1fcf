"""A lock in which a merge was left unfinished: what either side pinned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_client.lockfile.lockfile import InvalidLockfile, Lockfile
from hub_client.merge_markers import MARKER

if TYPE_CHECKING:
    from collections.abc import Iterator


def read_both_sides(text: str) -> Lockfile | None:
    """What both sides of an unfinished merge pin, ours where they differ.

    It may contradict itself, and is no project's, so it is good for preferences alone:
    locking anew keeps of it what fits.

    :returns: None if the text holds no merge, or neither side reads.
    """
    if not any(map(MARKER.match, text.split("\n"))):
        return None
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
