"""Source rows on their way through a pipeline."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Any

from towhee.vectors.fingerprints import Mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Source:
    """Numbers the rows of an iterable, and remembers those that are under way.

    Of a row that is no text or number its mark is remembered, so that memory does not
    grow with images that a filter drops.
    """

    def __init__(self, rows: Iterable[object]) -> None:
        self._rows = enumerate(rows)
        self._pending: deque[tuple[int, object]] = deque()

    def skip(self, row: int) -> Mark | None:
        """Pull every row up to a number, and let nothing become of them.

        :returns: the mark of the row with that number; None if there is none.
        """
        value: object = None
        for number, value in self._rows:
            if number == row:
                return Mark.of(value)
        return None

    def __iter__(self) -> Iterator[object]:
        for number, value in self._rows:
            self._pending.append((number, _remembered(value)))
            yield value

    def settle(self, row: int) -> object:
        """Forget the rows before this one, of which nothing more will come.

        :returns: the row, or its mark.
        """
        while self._pending[0][0] < row:
            self._pending.popleft()
        return self._pending[0][1]

    def last(self) -> tuple[int, object] | None:
        """The row that was pulled last; None if none was."""
        return self._pending[-1] if self._pending else None


def mark_of(remembered: object) -> Mark:
    """The mark of a row that ``Source`` gave."""
    return remembered if isinstance(remembered, Mark) else Mark.of(remembered)


def _remembered(value: Any) -> object:  # noqa: ANN401  (any row)
    is_plain = isinstance(value, str | int | float | os.PathLike)
    return value if is_plain else Mark.of(value)
