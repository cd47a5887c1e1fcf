"""Rows kept as columns, and functions that take a whole column at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from towhee.columnar.chunks import OnColumns
from towhee.columnar.packing import joined, pack_all
from towhee.columnar.rows import ColumnRows, ColumnTable, batches_of, in_batches
from towhee.functional.column_method import takes_columns
from towhee.functional.core import Core
from towhee.functional.limits import function, whole
from towhee.maybe import values_of
from towhee.pipelines import FunctionCall

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from towhee.chain import Chain
    from towhee.columnar.packing import Table
    from towhee.columns import Columns

_CHUNK = 4096


class Arrow(Core):
    """Columns in Arrow's memory: small, and as arrays without a copy.

    They hold numbers, text, bytes, times, lists, and arrays of numbers or truth values
    of one shape and type, which come back as they were. A row that lacks a column has
    None. Some come back otherwise: tuples, sets, and vectors whose lengths differ in a
    chunk, as lists, and dicts with the keys that any has in the chunk, None for those
    of others.
    """

    __slots__ = ()

    def to_column(self) -> Self:
        """Keep the rows as columns, each of them whole.

        >>> rows = DataCollection([1, 2, 3]).as_entity("a").to_column()
        >>> rows[1], rows.cmap["a", "b"](lambda a: a - a.mean())[0]
        (Entity(a=2), Entity(a=1, b=-1.0))

        :raises UnwritableValue: when they are computed, naming the column.
        """
        return self._in_chunks(None, "to_column()")

    def set_chunksize(self, chunksize: int) -> Self:
        """Keep the rows as columns in chunks, each an Arrow record batch.

        >>> rows = DataCollection.range(5).as_entity("a").set_chunksize(2)
        >>> rows.cmap["a", "a"](lambda a: [len(a)] * len(a)).as_raw().to_list()
        [2, 2, 2, 2, 1]

        A stream holds no chunk but the one that its rows come from.
        """
        size = whole("chunksize", chunksize)
        return self._in_chunks(size, f"set_chunksize({size})")

    @takes_columns()
    def cmap(
        self, unary_op: Callable[..., Any], *, columns: Columns | None = None
    ) -> Self:
        """Apply a function to whole columns, which it gets as numpy arrays.

        >>> import numpy
        >>> rows = DataCollection([1.0, 4.0]).as_entity("a").cmap["a", "b"](numpy.sqrt)
        >>> rows.to_list()
        [Entity(a=1.0, b=1.0), Entity(a=4.0, b=2.0)]
        >>> DataCollection([1.0, 4.0]).cmap(numpy.sqrt).to_list()
        [1.0, 2.0]

        It sees the column of a list whole, that of a stream in chunks of 4096 rows, and
        of either as ``set_chunksize`` says. ``set_parallel`` lets several chunks be
        worked on at once.

        :param unary_op: takes an array for each column that is read, with values along
            the first axis, and must not write to them; returns an array or list of as
            many values, or a tuple of these for several columns.
        :raises OperatorFailed: its row is the number of the chunk that failed. If
            failures are kept, each row of that chunk is one, with its own number.
        """
        function("cmap", unary_op)
        batches = batches_of(self._chain)
        if batches is None:
            chunked = self.set_chunksize(_CHUNK) if self.is_stream else self.to_column()
            return chunked.cmap(unary_op, columns=columns)
        work, method = OnColumns(unary_op, columns), f"cmap{columns or ''}"
        call = FunctionCall("map", work, None, self._chain.parallel, method)
        return self._columns(batches.then(call))

    def to_arrow(self) -> Table:
        """Compute every row, into one ``pyarrow.Table``.

        >>> DataCollection([1, 2]).as_entity("a").to_arrow().to_pydict()
        {'a': [1, 2]}

        :raises OperatorFailed: for the first row that failed, also if it was kept.
        :raises UnwritableValue: naming the column.
        """
        batches = batches_of(self._chain)
        if batches is None:
            return pack_all(values_of(self))
        return joined(values_of(batches))

    def _in_chunks(self, size: int | None, name: str) -> Self:
        return self._columns(in_batches(self._chain, size, name))

    def _columns(self, batches: Chain) -> Self:
        numbered = not self.is_stream and not self.is_safe
        return self.over((ColumnTable if numbered else ColumnRows)(batches))
