"""Rows cut into blocks, as large as pays for handing them over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from towhee.executors.ray.crossing import Block, pack

if TYPE_CHECKING:
    from towhee.executors.fusion import Pairs

_ROWS: Final = 64
_MOST_ROWS: Final = 8192
_MULTIPLE: Final = 8
"""What models like to take at once, so that few batches are cut short."""
_SHORT: Final = 0.2
"""Seconds of work on a block that handing it over should not be a part of."""
_LARGE: Final = 4 << 20
"""Bytes; a block that has them does not become larger."""
_PATIENCE: Final = 0.5
"""Seconds that rows wait for others that are slow to come."""


class Blocks:
    """Cuts numbered rows into packed blocks.

    :param size: rows of each; None lets their number grow while the work on a block
        is over in an instant.
    :param total: how many rows there are, if that is known.
    :param workers: how many are to have some of them.
    :param place: the step that rows go to, to name where one cannot travel.
    """

    def __init__(
        self,
        pairs: Pairs,
        *,
        size: int | None,
        total: int,
        workers: int,
        place: str = "",
    ) -> None:
        self._pairs = pairs
        self._place = place
        self._grows = size is None
        self._size = size or _fair_size(total, workers)
        self._largest = 0
        self.problem: Exception | None = None
        """What the source raised after the rows that were cut."""

    def cut(self) -> bytes | None:
        """The next block; None after the last, or after a problem."""
        if self.problem is not None:
            return None
        rows: list[tuple[int, Any]] = []
        deadline = time.monotonic() + _PATIENCE
        try:
            for pair in self._pairs:
                rows.append(pair)
                if len(rows) == self._size or time.monotonic() > deadline:
                    break
        except Exception as error:  # noqa: BLE001  (raised when its rows are through)
            self.problem = error
        if not rows:
            return None
        packed = pack(Block(rows), place=self._place)
        self._largest = max(self._largest, len(packed))
        return packed

    def learn(self, seconds: float) -> None:
        """Take note of how long a worker had to do with a block."""
        if self._grows and seconds < _SHORT and self._largest < _LARGE:
            self._size = min(2 * self._size, _MOST_ROWS)


def _fair_size(total: int, workers: int) -> int:
    """Rows of a block, so that few rows are enough for every worker.

    >>> _fair_size(0, 2), _fair_size(100, 2), _fair_size(100_000, 2)
    (64, 32, 64)
    """
    share = -(-total // (2 * workers * _MULTIPLE)) * _MULTIPLE
    return min(share or _ROWS, _ROWS)
