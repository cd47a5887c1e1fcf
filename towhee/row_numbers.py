"""Numbers that rows had in their source, once rows between them were left out."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(slots=True)
class RowNumbers:
    """The number of each row, from marks that cost next to nothing to make.

    A mark is what was left of the source when the row came out: iterators over lists
    know it. Numbers are made of marks when somebody asks for them.
    """

    last: int = 0
    """The position in the source at which the mark is 0."""
    source: RowNumbers | None = None
    """What the source's own rows are numbered by, if not by their position."""
    marks: array[int] = field(default_factory=lambda: array("q"))

    @classmethod
    def of(cls, numbers: Iterable[int]) -> RowNumbers:
        """Numbers that are known.

        >>> RowNumbers.of([3, 5])[1]
        5
        """
        noted = cls()
        for number in numbers:
            noted.note(number)
        return noted

    def note(self, number: int) -> None:
        """Add the number of one more row, where nothing counts what is left."""
        self.marks.append(self.last - number)

    def noted(self, rows: Iterable[Any]) -> Iterator[Any]:
        """Rows, the number of each of which is added before it comes."""
        for number, row in numbered(rows):
            self.note(number)
            yield row

    def __getitem__(self, index: int) -> int:
        position = self.last - self.marks[index]
        return position if self.source is None else self.source[position]

    def __iter__(self) -> Iterator[int]:
        # By index: more rows may come while somebody goes through these.
        index = 0
        while index < len(self.marks):
            yield self[index]
            index += 1


@dataclass(frozen=True, slots=True)
class NumberedRows:
    """Rows that are not numbered from 0 on, as those that went through a filter."""

    rows: Iterable[Any]
    numbers: RowNumbers

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)


def numbered(rows: Iterable[Any], start: int = 0) -> Iterator[tuple[int, Any]]:
    """Rows with their numbers; those that have none of their own count from ``start``.

    >>> list(numbered("ab", 3))
    [(3, 'a'), (4, 'b')]
    """
    if not isinstance(rows, NumberedRows):
        return enumerate(rows, start)
    # The row first: it may be computed now, and its number noted with it.
    pairs = zip(rows.rows, rows.numbers, strict=False)
    return ((number, row) for row, number in pairs)
