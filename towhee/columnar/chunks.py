"""Functions on chunks of rows, a whole column at a time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from towhee.columnar.packing import VALUE, as_array, as_column, joined, pack
from towhee.columns import InvalidColumns, missing_column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from towhee.columnar.packing import Batch
    from towhee.columns import Columns


@dataclass(frozen=True, slots=True)
class Packing:
    """Rows to record batches of ``size``; None for one of all."""

    size: int | None

    def __call__(self, rows: Iterator[Any]) -> Iterator[Batch]:
        """Pull a chunk's rows, and no row more, for each batch that is asked for."""
        while chunk := list(islice(rows, self.size)):
            yield pack(chunk)


@dataclass(frozen=True, slots=True)
class Rechunking:
    """Record batches to others of ``size``; None for one of all."""

    size: int | None

    def __call__(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Pull no batch more than is needed for the one that is asked for."""
        pending: list[Batch] = []
        for batch in batches:
            pending += [batch] if len(batch) else []
            waiting = sum(map(len, pending))
            if self.size is not None and waiting >= self.size:
                whole = _combined(pending)
                ends = range(self.size, waiting + 1, self.size)
                yield from (whole[end - self.size : end] for end in ends)
                rest = waiting % self.size
                pending = [whole[waiting - rest :]] if rest else []
        if pending:
            yield _combined(pending)


@dataclass(frozen=True, slots=True)
class OnColumns:
    """A function on whole columns, applied to each chunk."""

    function: Callable[..., Any]
    columns: Columns | None

    def __call__(self, batch: Batch) -> Batch:
        """Add the columns that the function makes, or put them in their place.

        :raises ValueError: if it gives another number of values than there are rows.
        """
        inputs, outputs = self._names(batch)
        result = self.function(*(as_array(batch.column(name)) for name in inputs))
        results = (result,) if len(outputs) == 1 else result
        for name, values in zip(outputs, results, strict=True):
            batch = _with_column(batch, name, values)
        return batch

    def _names(self, batch: Batch) -> tuple[tuple[str, ...], tuple[str, ...]]:
        there = batch.schema.names
        if self.columns is None:
            if there != [VALUE]:
                raise InvalidColumns(
                    "These rows have columns, and the function has to be given some",
                    hint="Write `cmap['in', 'out'](function)`",
                )
            return (VALUE,), (VALUE,)
        for name in self.columns.inputs:
            if name not in there:
                raise missing_column(name, there)
        return self.columns.inputs, self.columns.outputs

    def __getattr__(self, name: str) -> str:
        # What messages call this: instances of a class have no such name of their own.
        if name != "__qualname__":
            raise AttributeError(name)
        function = self.function
        called = getattr(function, "__name__", type(function).__name__)
        return str(called)


def _with_column(batch: Batch, name: str, values: Any) -> Batch:  # noqa: ANN401
    if not hasattr(values, "__len__") or len(values) != len(batch):
        given = f"{len(values)} values" if hasattr(values, "__len__") else "one value"
        raise ValueError(f"it was given {len(batch)} rows, and returned {given}")
    column = as_column(name, values)
    if name in batch.schema.names:
        return batch.set_column(batch.schema.names.index(name), name, column)
    return batch.append_column(name, column)


def _combined(batches: list[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    return joined(batches).combine_chunks().to_batches()[0]
