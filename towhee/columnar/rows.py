"""Record batches, seen as the rows that they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from towhee.columnar.chunks import Packing, Rechunking
from towhee.columnar.packing import VALUE
from towhee.maybe import Empty, Some
from towhee.outcome import OperatorFailed
from towhee.pipelines import FunctionCall, Pipeline
from towhee.reading.table import TableRows, entities
from towhee.rows import DerivedRows, Rearranged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from towhee.chain import Chain
    from towhee.columnar.packing import Batch


@dataclass(frozen=True, slots=True)
class ColumnRows(DerivedRows):
    """Rows of a chain of batches, made as they are asked for."""

    batches: Chain

    def origins(self) -> tuple[Chain, ...]:
        """The batches."""
        return (self.batches,)

    def over(self, chains: tuple[Chain, ...]) -> Iterable[Any]:
        """Rows of other batches."""
        return replace(self, batches=chains[0])

    def __iter__(self) -> Iterator[Any]:
        """Make rows of a batch at a time; each of one that failed is ``Empty``."""
        if self.batches.is_safe:
            yield from self._boxed()
            return
        for batch in self.batches:
            yield from rows_of(batch)

    def _boxed(self) -> Iterator[Some | Empty]:
        number = 0
        for batch in self.batches:
            if isinstance(batch, Empty):
                rows = _each_failed(batch, number)
            else:
                rows = [Some(row) for row in rows_of(batch.value)]
            yield from rows
            number += len(rows)

    def __repr__(self) -> str:
        return f"<columns of {self.batches.rows!r}>"


@dataclass(frozen=True, slots=True, repr=False)
class ColumnTable(ColumnRows, Sequence[Any]):
    """Rows of batches that are kept: they have numbers."""

    @property
    def is_computed(self) -> bool:
        """Whether the batches are there without computing one."""
        return self.batches.at_hand() is not None

    def __len__(self) -> int:
        return sum(map(len, self.batches))

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401  (a row, or a list)
        """A row, or a list of some."""
        numbers = range(len(self))[index]
        if isinstance(numbers, range):
            return [self[number] for number in numbers]
        for batch in self.batches:
            if numbers < len(batch):
                break
            numbers -= len(batch)
        return next(rows_of(batch[numbers : numbers + 1]))


def rows_of(batch: Batch) -> Iterator[Any]:
    """The rows of a batch, or the values of those without columns."""
    if batch.schema.names == [VALUE]:
        return (row[VALUE] for row in entities(batch))
    return entities(batch)


def _each_failed(failed: Empty, number: int) -> list[Some | Empty]:
    """The rows of a batch that failed, from a number on; a row that did is itself."""
    import pyarrow as pa

    error, cause = failed.error, failed.exception
    if not isinstance(error.input, pa.RecordBatch) or cause is None:
        return [failed]
    return [
        Empty(OperatorFailed(error.operator, row, cause, row=place))
        for place, row in enumerate(rows_of(error.input), number)
    ]


def batches_of(chain: Chain) -> Chain | None:
    """The batches that a chain's rows are in, unless they are no columns yet."""
    rows = chain.rows
    if not chain.pipeline.is_idle:
        return None
    if isinstance(rows, ColumnRows):
        return rows.batches
    if isinstance(rows, TableRows):
        batches = rows.table.to_batches()
        return chain.derive(rows=batches, pipeline=Pipeline(), parent=None)
    return None


def in_batches(chain: Chain, size: int | None, name: str) -> Chain:
    """A chain of batches of ``size`` that hold the rows; None for one of all.

    :param name: for people, as in ``to_column()``.
    """
    batches = batches_of(chain)
    rows = (
        Rearranged(chain, name, Packing(size))
        if batches is None
        else Rearranged(batches, name, Rechunking(size))
    )
    calls = (FunctionCall("resume", bool),) if chain.is_safe else ()
    return chain.derive(rows=rows, pipeline=Pipeline(calls), parent=None)
