"""What a pipe gives for one call: rows, taken one after the other."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class _Nothing(Enum):
    NOTHING = "NOTHING"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Final = _Nothing.NOTHING
"""Stands in a row where a column is shorter than another one."""


class DataQueue:
    """Rows in order, each a list of the output columns; taking one removes it.

    >>> p = pipe.input("n").flat_map("n", "i", range).output("n", "i")
    >>> queue = p(3)
    >>> queue.size, queue.get(), queue.get_dict(), queue.to_list(), queue.get()
    (3, [3, 0], {'n': 3, 'i': 1}, [[3, 2]], None)

    A scalar, which a call has one of, stands in every row. A column that has fewer rows
    than another one has ``NOTHING`` in the rest.
    """

    __slots__ = ("_columns", "_rows")

    def __init__(
        self, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]
    ) -> None:
        self._columns = columns
        self._rows = deque(rows)

    @property
    def schema(self) -> list[str]:
        """The names of the columns."""
        return list(self._columns)

    @property
    def size(self) -> int:
        """How many rows are left."""
        return len(self._rows)

    def get(self) -> list[Any] | None:
        """Take the next row; None if there is none."""
        try:
            return list(self._rows.popleft())
        except IndexError:  # Another thread may have taken the last one.
            return None

    def get_dict(self) -> dict[str, Any] | None:
        """Take the next row, by column; None if there is none."""
        row = self.get()
        return None if row is None else dict(zip(self._columns, row, strict=True))

    def to_list(self, *, kv_format: bool = False) -> list[Any]:
        """Take every row that is left.

        >>> pipe.input("x").output("x")(1).to_list(kv_format=True)
        [{'x': 1}]

        :param kv_format: rows as dicts.
        """
        rows = list(self)
        if not kv_format:
            return rows
        return [dict(zip(self._columns, row, strict=True)) for row in rows]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[list[Any]]:
        """Take rows until none is left."""
        while (row := self.get()) is not None:
            yield row

    def __repr__(self) -> str:
        return f"<DataQueue of {self._columns}: {self.size} rows>"
