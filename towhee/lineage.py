"""Which chains the rows of a chain come from."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from towhee.chain import Chain


def compute_once(chains: Sequence[Chain]) -> None:
    """Have lists that several of ``chains`` go on from computed once for all of them.

    What stands side by side is one row then, whatever a function, or chance, makes
    of it. Streams compute rows anew for each, as they say.
    """
    lines = [_lists(each) for each in chains]
    readers = Counter(number for line in lines for number in line)
    for each in chains:
        _share_first(each, {number for number in readers if readers[number] > 1})


def _lists(chain: Chain) -> dict[int, Chain]:
    """A list, and those that it goes on from, by identity."""
    found: dict[int, Chain] = {}
    left = [chain]
    while left:
        each = left.pop()
        if not each.is_stream and id(each) not in found:
            found[id(each)] = each
            left += each.before()
    return found


def _share_first(chain: Chain, several: set[int]) -> None:
    """Share the nearest of the lists that several read, and none that it hides."""
    left, seen = [chain], set[int]()
    while left:
        each = left.pop()
        if each.is_stream or id(each) in seen:
            continue
        seen.add(id(each))
        if id(each) in several:
            each.share()
        else:
            left += each.before()
