"""Collections beside each other, and one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from towhee.functional.core import Core
from towhee.joined_rows import Concatenated, Zipped, merged
from towhee.lineage import compute_once
from towhee.pipelines import FunctionCall

if TYPE_CHECKING:
    from typing import Self

    from towhee.chain import Chain


class Joining(Core):
    """Make one collection of several.

    It is a stream if one of them is, and its rows may fail if those of one may.
    """

    __slots__ = ()

    def zip(self, *others: Iterable[Any]) -> Self:
        """Tuples of a row of each, until the shortest has no more.

        >>> DataCollection([1, 2]).zip(["a", "b", "c"]).to_list()
        [(1, 'a'), (2, 'b')]

        What several of them go on from is computed once, and kept, unless it is a
        stream.

        Where a row of an ``exception_safe`` one failed, so has the tuple: what stands
        side by side belongs together.

        >>> rows = DataCollection(["1", "x", "3"]).exception_safe().map(int)
        >>> rows.zip(range(3)).fill_empty().to_list()
        [(1, 0), None, (3, 2)]
        """
        chains = self._with(others)
        compute_once(chains)
        return self._joined(chains, Zipped(chains))

    def combine(self, *others: Iterable[Any]) -> Self:
        """Rows with the columns of one row of each; the last one has the last word.

        >>> from towhee import dc
        >>> dc["name"](["a", "b"]).combine(dc["size"]([1, 2])).to_list()
        [Entity(name='a', size=1), Entity(name='b', size=2)]

        :raises ValueError: when rows are read, if one has fewer than another.
        """
        chains = self._with(others)
        compute_once(chains)
        joined = self._joined(chains, Zipped(chains, strict=True))
        return joined.then(FunctionCall("map", merged, method="combine"))

    def __add__(self, other: Iterable[Any]) -> Self:
        if not isinstance(other, Iterable):
            return NotImplemented
        pair, rows = self._with([other]), self._chain.rows
        if isinstance(rows, Concatenated) and self.pipeline.is_idle:
            # A sum of many is one long row, not a tower that iterators fall from.
            return self._joined(pair, Concatenated((*rows.chains, pair[1])))
        return self._joined(pair, Concatenated(pair))

    def __radd__(self, other: Iterable[Any]) -> Self:
        if not isinstance(other, Iterable):
            return NotImplemented
        return type(self)(other) + self

    def _with(self, others: Iterable[Iterable[Any]]) -> tuple[Chain, ...]:
        return (self._chain, *(type(self)(other)._chain for other in others))  # noqa: SLF001  (of our own kind)

    def _joined(self, chains: tuple[Chain, ...], rows: Iterable[Any]) -> Self:
        safe = self.is_safe or not any(chain.is_safe for chain in chains)
        joined = (self if safe else self.then(FunctionCall("safe", bool))).over(rows)
        return joined.stream() if any(chain.is_stream for chain in chains) else joined
