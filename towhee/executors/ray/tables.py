"""Blocks as Ray Data carries them: tables with a row for each, opaque to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa


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
