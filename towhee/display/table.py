"""What is shown of rows: names, and cells below them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from towhee.columns import Entity
from towhee.maybe import Some

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class _Nothing:
    """Stands in a cell whose row lacks the column."""

    def __str__(self) -> str:
        return ""

    __repr__ = __str__


NOTHING = _Nothing()


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, one for each column."""

    columns: tuple[str, ...]
    """Their names in the rows; one without a name for rows that have no columns."""
    header: tuple[str, ...]
    """Their names for people; none, if nothing is above them."""
    rows: tuple[tuple[Any, ...], ...]

    @classmethod
    def of(cls, rows: Iterable[Any], header: Sequence[str] | None = None) -> Table:
        """Find the columns; what failed stands in the first one.

        >>> Table.of([Entity(a=1), Entity(b=2)]).rows
        ((1, ), (, 2))

        :param header: other names for all columns.
        :raises ValueError: if it has more or fewer names than there are columns.
        """
        values = [row.value if isinstance(row, Some) else row for row in rows]
        names = dict.fromkeys(
            name for row in values if isinstance(row, Entity) for name in row
        )
        columns = tuple(names) or ("",)
        shown = tuple(names) if header is None else tuple(header)
        if values and shown and len(shown) != len(columns):
            raise ValueError(
                f"header has {len(shown)} names, and there are {len(columns)} columns"
            )
        return cls(columns, shown, tuple(_cells(row, columns) for row in values))


def _cells(row: Any, columns: tuple[str, ...]) -> tuple[Any, ...]:  # noqa: ANN401  (any row)
    if isinstance(row, Entity):
        return tuple(vars(row).get(name, NOTHING) for name in columns)
    return (row, *[NOTHING] * (len(columns) - 1))
