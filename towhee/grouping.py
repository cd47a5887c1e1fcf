"""Rows beside what they are gathered or sorted by."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from plugin_spec.errors import HubError
from towhee.outcome import short_repr
from towhee.reshaping import may_be_nan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from towhee.columns import Columns


class NotComparable(HubError, TypeError):
    """It cannot be told which of two values is less, or whether they are equal."""


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
        """Give rows; those whose key is ``nan`` come last.

        >>> list(Sorted()([(2, "b"), (1, "a")]))
        ['a', 'b']

        :raises NotComparable: naming two keys that have no order.
        """
        kept = list(pairs)
        # Nothing is less than nan, and what lies around it would stay as it is.
        last = _with_nan(kept)
        if last:
            left = set(map(id, last))
            kept = [pair for pair in kept if id(pair) not in left]
        try:
            ordered = sorted(kept, key=itemgetter(0), reverse=self.reverse)
        except (TypeError, ValueError, RuntimeError) as error:
            raise NotComparable(
                f"`sort` cannot order {_two_of(kept)}: {error}",
                hint="Give it a key that makes one kind of them, as in `sort(key=str)`",
            ) from error
        return map(itemgetter(1), [*ordered, *last])


def _with_nan(pairs: Sequence[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    # Asked of each type once, and of no value that cannot be nan.
    kinds = tuple(kind for kind in {type(key) for key, _ in pairs} if may_be_nan(kind))
    if not kinds:
        return []
    return [pair for pair in pairs if isinstance(pair[0], kinds) and pair[0] != pair[0]]


def _two_of(pairs: Sequence[tuple[Any, Any]]) -> str:
    """Two keys that cannot be compared."""
    keys = map(itemgetter(0), pairs)
    for one, other in pairwise(keys):
        if not _have_order(one, other):
            return f"{short_repr(one)} and {short_repr(other)}"
    return "its keys"


def _have_order(one: Any, other: Any) -> bool:  # noqa: ANN401  (any keys)
    try:
        bool(one < other)
    except (TypeError, ValueError, RuntimeError):
        return False
    return True
