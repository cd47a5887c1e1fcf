"""Rows to other rows: functions, and changes of number and order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from towhee.functional.column_method import takes_columns
from towhee.functional.core import Core
from towhee.pipelines import FunctionCall
from towhee.rows import FirstRows, Selection

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from towhee.columns import Columns


class Shaping(Core):
    """Map, filter, and rearrange rows."""

    __slots__ = ()

    @takes_columns()
    def map(
        self, function: Callable[..., Any], *, columns: Columns | None = None
    ) -> Self:
        """Replace each row by what ``function`` returns for it.

        >>> DataCollection([1, 2]).map(str).to_list()
        ['1', '2']
        """
        parallel = self._chain.parallel
        return self.then(FunctionCall("map", function, columns, parallel))

    @takes_columns(outputs=False)
    def filter(
        self, function: Callable[..., Any], *, columns: Columns | None = None
    ) -> Self:
        """Keep the rows for which ``function`` returns something true.

        >>> DataCollection(["a", "1"]).filter(str.isdigit).to_list()
        ['1']
        """
        parallel = self._chain.parallel
        return self.then(FunctionCall("filter", function, columns, parallel))

    def select_from(self, other: Self) -> Self:
        """Replace each row, a number or several, by the rows of ``other`` it names.

        >>> letters = DataCollection(["a", "b", "c"])
        >>> DataCollection([2, [0, 1]]).select_from(letters).to_list()
        ['c', ['a', 'b']]

        :raises NotIndexable: for the first row, if ``other`` is a stream.
        """
        return self.map(Selection(other))

    def head(self, count: int = 5) -> Self:
        """The first rows; no more of the source is read than they need.

        >>> numbers = iter(range(10))
        >>> DataCollection(numbers).map(str).head(2).to_list(), next(numbers)
        (['0', '1'], 2)
        """
        return self.over(FirstRows(self._chain, count)).unstream()
