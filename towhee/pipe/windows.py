"""Which rows lie in which window."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def windows(
    placed: Iterable[tuple[float, Any]], size: float, step: float
) -> Iterator[list[Any]]:
    """Rows of each window, from where they are; windows without rows are left out.

    >>> list(windows(enumerate("abcde"), size=3, step=2))
    [['a', 'b', 'c'], ['c', 'd', 'e'], ['e']]

    A window begins at every multiple of ``step``; the first one with a row in it after
    a gap is the last that had begun by then. Rows in order are held no longer than a
    window.

    :param placed: pairs of a place and a row, in ascending order of places.
    """
    opened: deque[tuple[float, list[Any]]] = deque()
    begin: float = 0
    for place, row in placed:
        while opened and place >= opened[0][0] + size:
            yield opened.popleft()[1]
        if not opened and place >= begin + size:
            begin = place // step * step
        while begin <= place < begin + size:
            opened.append((begin, []))
            begin += step
        for start, rows in opened:
            if start <= place:
                rows.append(row)
    for _, rows in opened:
        yield rows
