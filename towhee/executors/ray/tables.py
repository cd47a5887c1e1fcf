"""Blocks as Ray Data carries them: tables with a row for each, opaque to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from towhee.executors.ray.worker import StageWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa


class TableWorker(StageWorker):
    """An actor of Ray Data, which gives it tables and takes those it returns."""

    def __init__(
        self,
        shipment: bytes,
        threads: int,
        begin: Callable[[int], int],
        *,
        strict: bool,
    ) -> None:
        """Have the operators.

        :param begin: told the number of each block before work on it begins; gives how
            often that has been told, by workers that have died since.
        """
        super().__init__(shipment, threads, strict=strict)
        self._begin = begin

    def __call__(self, table: pa.Table) -> pa.Table:
        """Carry rows through the stage, a block at a time."""
        return to_table([self._answer(*block) for block in from_table(table)])

    def _answer(
        self, number: int, packed: bytes, seconds: float
    ) -> tuple[int, bytes, float]:
        # Rows whose results were received already come without a byte.
        if packed:
            packed, seconds = self.carry(packed, self._begin(number) - 1)
        return number, packed, seconds


def to_table(blocks: Sequence[tuple[int, bytes, float]]) -> pa.Table:
    """A table of blocks: their number, their bytes, and the seconds they have taken."""
    import pyarrow as pa

    numbers, packed, seconds = zip(*blocks, strict=True) if blocks else ((), (), ())
    return pa.table(
        {
            "number": pa.array(numbers, pa.int64()),
            "packed": pa.array(packed, pa.large_binary()),
            "seconds": pa.array(seconds, pa.float64()),
        }
    )


def from_table(table: pa.Table) -> Iterator[tuple[int, bytes, float]]:
    """The blocks of a table."""
    columns = (table[name].to_pylist() for name in ("number", "packed", "seconds"))
    return zip(*columns, strict=True)
