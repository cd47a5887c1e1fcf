"""Rows to other rows: functions, and changes of number and order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from towhee.columns import Columns, Entity, column_names, distinct_names
from towhee.functional import limits
from towhee.functional.column_method import takes_columns
from towhee.functional.core import Core
from towhee.functional.limits import whole
from towhee.grouping import Groups, Keyed
from towhee.joined_rows import equally_long
from towhee.outcome import short_repr
from towhee.pipelines import FunctionCall
from towhee.rows import FirstRows, Selection
from towhee.shared_rows import SharedRows
from towhee.windows import Batches, Windows

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self


class Shaping(Core):
    """Map, filter, and rearrange rows."""

    __slots__ = ()

    @takes_columns()
    def map(
        self, *functions: Callable[..., Any], columns: Columns | None = None
    ) -> Any:  # noqa: ANN401  (a collection, or one for each of several functions)
        """Replace each row by what a function returns for it.

        >>> DataCollection([1, 2]).map(str).to_list()
        ['1', '2']

        Several functions give a tuple of collections. Rows are computed once for all of
        them; of a stream, those that one has read are kept until the others have.

        >>> numbers = DataCollection(n for n in range(3))
        >>> doubled, shown = numbers.map(lambda n: n * 2, str)
        >>> doubled.zip(shown).to_list()
        [(0, '0'), (2, '1'), (4, '2')]

        :raises TypeError: without a function.
        """
        parallel = self._chain.parallel
        for each in functions:
            limits.function("map", each)
        calls = [FunctionCall("map", each, columns, parallel) for each in functions]
        if not calls:
            raise TypeError("map takes a function, or several")
        if len(calls) == 1:
            return self.then(calls[0])
        if self.is_stream:
            shared = SharedRows(self._chain)
            return tuple(self.over(shared.reader()).then(call) for call in calls)
        shared_list = self._chain.share()
        return tuple(self.over(shared_list).then(call) for call in calls)

    @takes_columns(outputs=False)
    def filter(
        self,
        function: Callable[..., Any],
        drop_empty: bool = False,
        *,
        columns: Columns | None = None,
    ) -> Self:
        """Keep the rows for which ``function`` returns something true.

        >>> DataCollection(["a", "1"]).filter(str.isdigit).to_list()
        ['1']

        :param drop_empty: leave out, too, the rows of an ``exception_safe`` collection
            that have failed, in ``function`` or before; more may fail later.

        >>> rows = DataCollection(["1", "x"]).exception_safe().map(int)
        >>> rows.filter(lambda n: n > 0, drop_empty=True).to_list()
        [Some(1)]
        """
        limits.function("filter", function)
        kept = self.then(
            FunctionCall("filter", function, columns, self._chain.parallel)
        )
        if drop_empty and self.is_safe:
            ended = kept.then(FunctionCall("drop_empty", bool))
            return ended.then(FunctionCall("safe", bool))
        return kept

    @takes_columns()
    def flatten(self, *names: str, columns: Columns | None = None) -> Self:
        """Replace each row by the items in it; a row that holds none is left out.

        Text, bytes, mappings and rows with columns are one item.

        >>> DataCollection([[1, 2], "ab", []]).flatten().to_list()
        [1, 2, 'ab']

        Of a row with columns, the items of one column: each becomes a row of its own,
        with the other columns beside it.

        >>> from towhee.columns import Entity
        >>> photos = DataCollection([Entity(path="a.jpg", boxes=[1, 2])])
        >>> photos.flatten("boxes").to_list()
        [Entity(path='a.jpg', boxes=1), Entity(path='a.jpg', boxes=2)]
        >>> [row.box for row in photos.flatten["boxes", "box"]()]
        [1, 2]

        :param names: the column, to be written over by its items, or several that hold
            equally many; brackets say where they go instead.
        """
        if names:
            columns = Columns(column_names(names), distinct_names(names))
        return self.then(FunctionCall("flat_map", _items, columns, method="flatten"))

    def select_from(self, other: Self) -> Self:
        """Replace each row, a number or several, by the rows of ``other`` it names.

        >>> letters = DataCollection(["a", "b", "c"])
        >>> DataCollection([2, [0, 1]]).select_from(letters).to_list()
        ['c', ['a', 'b']]

        :raises NotIndexable: for the first row, if ``other`` is a stream.
        :raises TypeError: at once, if its rows have no numbers at all.
        """
        if not hasattr(other, "__getitem__"):
            raise TypeError(
                f"`select_from` takes a collection, not {short_repr(other)}"
            )
        return self.then(FunctionCall("map", Selection(other), method="select_from"))

    def head(self, count: int = 5) -> Self:
        """The first rows; no more of the source is read than they need.

        >>> numbers = iter(range(10))
        >>> DataCollection(numbers).map(str).head(2).to_list(), next(numbers)
        (['0', '1'], 2)

        :raises ValueError: at once, if ``count`` is negative.
        """
        return self.over(
            FirstRows(self._chain, whole("count", count, least=0))
        ).unstream()

    def batch(self, size: int, drop_tail: bool = False) -> Self:
        """Replace rows by lists of ``size`` of them.

        >>> DataCollection([1, 2, 3]).batch(2).to_list()
        [[1, 2], [3]]

        Operators form batches by themselves; this is for functions that take lists.

        :param drop_tail: leave out a last one that is not full.
        :raises ValueError: at once, if ``size`` is less than 1.
        """
        batches = Batches(whole("size", size), drop_tail)
        return self.rearranged(f"batch({size})", batches)

    def rolling(
        self,
        size: int,
        step: int = 1,
        drop_head: bool = True,
        drop_tail: bool = True,
    ) -> Self:
        """Replace rows by windows of ``size``, each ``step`` rows after the last.

        >>> DataCollection([1, 2, 3]).rolling(2).to_list()
        [[1, 2], [2, 3]]
        >>> DataCollection([1, 2, 3]).rolling(2, drop_head=False).to_list()
        [[1], [1, 2], [2, 3]]
        >>> DataCollection([1, 2, 3]).rolling(2, drop_tail=False).to_list()
        [[1, 2], [2, 3], [3]]

        :param drop_head: leave out the windows that grow to the first full one.
        :param drop_tail: leave out those that shrink after the last full one.
        :raises ValueError: at once, if ``size`` or ``step`` is less than 1.
        """
        windows = Windows(
            whole("size", size), whole("step", step), drop_head, drop_tail
        )
        return self.rearranged(f"rolling({size}, {step})", windows)

    @takes_columns(outputs=False)
    def group_by(
        self,
        function: Callable[..., Any] | None = None,
        *,
        columns: Columns | None = None,
    ) -> Self:
        """Gather rows for which ``function`` gives the same: pairs of that and a list.

        >>> DataCollection(["a", "bc", "d"]).group_by(len).to_list()
        [(1, ['a', 'd']), (2, ['bc'])]

        ``rows.group_by['label']()`` gathers by a column. Groups come in the order of
        their first rows. All rows are read, and kept, before the first group comes.
        """
        if function is not None:
            limits.function("group_by", function)
        key = Keyed(function, columns, hashed=True)
        method = f"group_by{columns or ''}"
        keyed = FunctionCall("map", key, None, self._chain.parallel, method)
        return self.then(keyed).rearranged("group_by()", Groups())


def _items(row: Any, *beside: Any) -> Iterable[Any]:  # noqa: ANN401  (any row)
    """The items of a row, or tuples of those of several columns."""
    if beside:
        several = map(_items, (row, *beside))
        return equally_long(several, "The columns hold different numbers of items")
    one = isinstance(row, str | bytes | bytearray | Mapping | Entity)
    # An array without dimensions is a number.
    one = one or getattr(row, "ndim", 1) == 0
    return (row,) if one or not isinstance(row, Iterable) else row
