"""What a list can do; each gives another collection, and leaves this one as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from towhee.chain import NotIndexable
from towhee.functional.joining import Joining
from towhee.functional.limits import function
from towhee.grouping import Keyed, NotComparable, Sorted
from towhee.maybe import Some
from towhee.outcome import Brief, short_repr
from towhee.pipelines import FunctionCall
from towhee.rows import Rearranged
from towhee.serving.requests import INSTEAD, takes_requests

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from towhee.chain import Chain


class Listing(Joining):
    """Add, take away, and put in order.

    Like all methods they return a collection, and compute no row. A stream keeps no
    rows to do this to, and says so at once.
    """

    __slots__ = ()

    def append(self, row: Any) -> Self:  # noqa: ANN401  (any row)
        """The rows, and one more at the end.

        >>> numbers = DataCollection([1, 2])
        >>> numbers.append(3).append(4).to_list(), numbers.to_list()
        ([1, 2, 3, 4], [1, 2])

        :raises NotIndexable: at once, for a stream.
        """
        return self._edited(Edit("append", (row,)))

    def extend(self, rows: Iterable[Any]) -> Self:
        """The rows, and others after them; ``+`` does this for streams as well.

        >>> DataCollection([1, 2]).extend([3, 4]).to_list()
        [1, 2, 3, 4]

        :raises NotIndexable: at once, for a stream.
        """
        self._kept_for("extend")
        return self + (tuple(rows) if isinstance(rows, Iterator) else rows)

    def insert(self, index: int, row: Any) -> Self:  # noqa: ANN401  (any row)
        """The rows, with one more before that of number ``index``.

        >>> DataCollection([1, 2]).insert(0, 0).to_list()
        [0, 1, 2]

        :raises NotIndexable: at once, for a stream.
        """
        return self._edited(Edit("insert", (index, row)))

    def pop(self, index: int = -1) -> Self:
        """The rows without that of number ``index``.

        As in Towhee it gives the collection that is left; ``rows[index]`` is the row.

        >>> DataCollection([1, 2, 3]).pop().pop(0).to_list()
        [2]

        :raises IndexError: when rows are read, if there is none of that number.
        :raises NotIndexable: at once, for a stream.
        """
        return self._edited(Edit("pop", (index,)))

    def remove(self, row: Any) -> Self:  # noqa: ANN401  (any row)
        """The rows without the first that equals ``row``.

        >>> DataCollection([1, 2, 1]).remove(1).to_list()
        [2, 1]

        :raises ValueError: when rows are read, if there is none.
        :raises NotIndexable: at once, for a stream.
        """
        return self._edited(Edit("remove", (self._boxed(row),)))

    def reverse(self) -> Self:
        """The rows from the last to the first.

        >>> DataCollection([1, 2]).reverse().to_list()
        [2, 1]

        :raises NotIndexable: at once, for a stream.
        """
        return self._edited(Edit("reverse"))

    def sort(
        self, key: Callable[[Any], Any] | None = None, *, reverse: bool = False
    ) -> Self:
        """The rows in the order of ``key``; equal ones stay in the order they have.

        >>> DataCollection(["bb", "a"]).sort(key=len).to_list()
        ['a', 'bb']

        Those whose key is ``nan`` come last, as in pandas, in reverse order too. Those
        of an ``exception_safe`` collection that failed come first.

        :raises NotComparable: when rows are read, for keys that have no order.
        :raises NotIndexable: at once, for a stream.
        """
        self._kept_for("sort")
        if key is not None:
            function("sort", key)
        keyed = FunctionCall("map", Keyed(key), None, self._chain.parallel, "sort")
        return self.then(keyed).rearranged("sort()", Sorted(reverse))

    def count(self, row: Any) -> int:  # noqa: ANN401  (any row)
        """How many rows equal ``row``; computes them all.

        >>> DataCollection([1, 2, 1]).count(1)
        2

        :raises NotComparable: if it cannot be told whether they do, as of arrays.
        :raises NotIndexable: at once, for a stream.
        """
        self._kept_for("count")
        rows = self.to_list()
        try:
            return rows.count(self._boxed(row))
        except (TypeError, ValueError, RuntimeError) as error:
            raise NotComparable(
                f"`count` cannot tell whether rows equal {short_repr(row)}: {error}",
                hint="Say so in a function: `len(rows.filter(function))`",
            ) from error

    def copy(self) -> Self:
        """The same rows; what has been computed is not computed again.

        >>> DataCollection([1, 2]).copy().to_list()
        [1, 2]

        :raises NotIndexable: at once, for a stream.
        """
        self._kept_for("copy")
        return type(self)(self._chain)

    def clear(self) -> Self:
        """No rows, run as these are.

        >>> DataCollection([1, 2]).clear().to_list()
        []

        :raises NotIndexable: at once, for a stream.
        """
        self._kept_for("clear")
        return self.over([])

    def _edited(self, edit: Edit) -> Self:
        self._kept_for(edit.method)
        chain, edits = self._before_edits()
        edited = Edits((*edits, edit))
        return self.over(Rearranged(chain, edited, edited, boxed=True))

    def _before_edits(self) -> tuple[Chain, tuple[Edit, ...]]:
        # A loop of appends makes one list of edits, not a tower of iterators.
        rows = self._chain.rows
        if isinstance(rows, Rearranged) and self.pipeline.is_idle:
            before = rows.rearrange
            if isinstance(before, Edits):
                return rows.chain, before.edits
        return self._chain, ()

    def _kept_for(self, method: str) -> None:
        if self.is_stream and takes_requests(self._chain):
            raise NotIndexable(
                f"`{method}` needs rows that are kept, and a chain that is called "
                "takes one row at a time",
                hint=INSTEAD,
            )
        if self.is_stream:
            raise NotIndexable(
                f"`{method}` needs rows that are kept, and a stream keeps none",
                hint="Call `unstream()` first, which keeps the rows",
            )

    def _boxed(self, row: object) -> object:
        return Some(row) if self.is_safe else row


@dataclass(frozen=True, slots=True)
class Edit:
    """A method of a list, and what it is called with."""

    method: str
    args: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"{self.method}({', '.join(map(Brief().repr, self.args))})"


@dataclass(frozen=True, slots=True)
class Edits:
    """What is done to a list of the rows, in order."""

    edits: tuple[Edit, ...]

    def __call__(self, rows: Iterable[Any]) -> list[Any]:
        """Do it to a list of its own.

        >>> Edits((Edit("append", (3,)), Edit("pop", (0,))))([1, 2])
        [2, 3]
        """
        kept = list(rows)
        for edit in self.edits:
            try:
                getattr(kept, edit.method)(*edit.args)
            except (IndexError, TypeError, ValueError) as error:
                raise type(error)(f"`{edit}` on {len(kept)} rows: {error}") from None
        return kept

    def __str__(self) -> str:
        return ".".join(map(str, self.edits))
