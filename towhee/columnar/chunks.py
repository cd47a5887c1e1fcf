"""Functions on chunks of rows, a whole column at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.errors import HubError
from towhee.columnar.packing import VALUE, as_array, as_column, joined, pack
from towhee.columns import Entity, InvalidColumns, missing_column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from towhee.columnar.packing import Batch
    from towhee.columns import Columns

_ONE: Final = (Mapping, set, frozenset, Entity, str, bytes, bytearray, memoryview)
"""What has a length and items, and is no column all the same."""


class WrongColumns(HubError, ValueError):
    """A function on columns gave something else than columns of that length."""


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

        :raises WrongColumns: if it gives another number of values than there are rows,
            or another number of columns than are to be written.
        """
        inputs, outputs = self._names(batch)
        result = self.function(*(as_array(batch.column(name)) for name in inputs))
        results = (result,) if len(outputs) == 1 else _several(result, len(outputs))
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
    # What has columns of its own is a frame, or a table.
    if isinstance(values, _ONE) or hasattr(type(values), "columns"):
        raise _wrong(batch, f"a {type(values).__name__}, which is no column")
    if not hasattr(values, "__len__") or getattr(values, "shape", None) == ():
        raise _wrong(batch, "one value")
    if len(values) != len(batch):
        raise _wrong(batch, f"{len(values)} values")
    column = as_column(name, values)
    if name in batch.schema.names:
        return batch.set_column(batch.schema.names.index(name), name, column)
    return batch.append_column(name, column)


def _several(result: Any, count: int) -> tuple[Any, ...]:  # noqa: ANN401
    is_one = isinstance(result, _ONE) or not hasattr(result, "__iter__")
    columns = () if is_one else tuple(result)
    if len(columns) != count:
        given = f"a {type(result).__name__}" if is_one else f"{len(columns)}"
        raise WrongColumns(
            f"it has {count} columns to write, and returned {given}",
            hint=f"Return a tuple of {count} arrays or lists",
        )
    return columns


def _wrong(batch: Batch, given: str) -> WrongColumns:
    return WrongColumns(
        f"it was given {len(batch)} rows, and returned {given}",
        hint="Return an array or a list with a value for each row",
    )


def _combined(batches: list[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    return joined(batches).combine_chunks().to_batches()[0]
