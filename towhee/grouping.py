"""Rows beside what they are gathered or sorted by."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from towhee.columns import Columns


@dataclass(frozen=True)
class Keyed:
    """Pairs a row with its key; a failure names the function that gives it.

    >>> Keyed(len)("abc")
    (3, 'abc')
    """

    function: Callable[..., Any] | None
    columns: Columns | None = None
    hashed: bool = False
    """Whether a key that cannot be hashed fails, here, with its row."""

    def __post_init__(self) -> None:
        function = self.function
        name = getattr(function, "__qualname__", type(function).__qualname__)
        vars(self)["__qualname__"] = "" if function is None else name

    def __call__(self, row: Any) -> tuple[Any, Any]:  # noqa: ANN401  (any row)
        """Give key and row."""
        key = self._key(row)
        if self.hashed:
            hash(key)
        return key, row

    def _key(self, row: Any) -> Any:  # noqa: ANN401  (any row)
        if self.columns is None:
            return row if self.function is None else self.function(row)
        key = self.columns.read(row)
        if self.function is None:
            return key
        several = len(self.columns.inputs) > 1
        return self.function(*key) if several else self.function(key)


@dataclass(frozen=True, slots=True)
class Groups:
    """Gathers the rows of each key, in the order of their first ones."""

    def __call__(self, pairs: Iterable[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
        """Give pairs of key and rows.

        >>> list(Groups()([(1, "a"), (2, "b"), (1, "c")]))
        [(1, ['a', 'c']), (2, ['b'])]
        """
        groups: dict[Any, list[Any]] = {}
        for key, row in pairs:
            groups.setdefault(key, []).append(row)
        yield from groups.items()


@dataclass(frozen=True, slots=True)
class Sorted:
    """Gives rows in the order of their keys; equal ones stay in the order they had."""

    reverse: bool = False

    def __call__(self, pairs: Iterable[tuple[Any, Any]]) -> Iterator[Any]:
        """Give rows.

        >>> list(Sorted()([(2, "b"), (1, "a")]))
        ['a', 'b']
        """
        ordered = sorted(pairs, key=itemgetter(0), reverse=self.reverse)
        return map(itemgetter(1), ordered)
