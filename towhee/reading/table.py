"""Tables of columns, read as rows: Arrow's, Parquet files, and frames of pandas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, overload

from plugin_spec.nearest import did_you_mean
from towhee.columnar.arrays import holds_arrays, spread
from towhee.columns import Entity, MissingColumn, distinct_names
from towhee.extras import needed_for
from towhee.outcome import short_repr
from towhee.reading.files import FileRows, UnreadableFile
from towhee.rows import SourcedRows

if TYPE_CHECKING:
    from pathlib import Path

    from towhee.sources import Known

_BUFFER: Final = 2**16


@dataclass(frozen=True, slots=True, repr=False)
class ParquetRows(FileRows, SourcedRows):
    """Rows of a Parquet file; no more of it than a batch is kept."""

    columns: tuple[str, ...] | None = None
    """Those to read; None for all."""
    batch_size: int = 1024

    def made(self) -> Known:
        """The spaces that the file's metadata say, by column.

        :raises InvalidSpace: if they say what cannot be read.
        """
        from plugin_spec.space_files import parquet_spaces  # noqa: PLC0415  (as it is used)
        from plugin_spec.spaces import KnownSpace  # noqa: PLC0415  (likewise)

        with needed_for("Reading Parquet", extra="parquet"):
            import pyarrow as pa
            from pyarrow import parquet
        try:
            metadata = parquet.read_metadata(self.path).metadata
        except (pa.ArrowException, OSError):
            return {}  # reading it says what is wrong
        spaces = parquet_spaces(str(self.path), metadata)
        names = spaces if self.columns is None else self.columns
        return {name: KnownSpace(spaces[name]) for name in names if name in spaces}

    def __iter__(self) -> Iterator[Entity]:
        """Read a batch at a time."""
        with needed_for("Reading Parquet", extra="parquet"):
            import pyarrow as pa
            from pyarrow import parquet
        try:
            # Otherwise it would read whole groups of rows, and all of them at once.
            with parquet.ParquetFile(
                self.path, pre_buffer=False, buffer_size=_BUFFER
            ) as file:
                _check_names(self.path, self.columns or (), file.schema_arrow.names)
                for batch in file.iter_batches(self.batch_size, columns=self.columns):
                    yield from entities(batch)
        except pa.ArrowException as error:
            raise UnreadableFile(f"`{self.path}` cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class TableRows(Sequence[Any]):
    """Rows of an Arrow table, which stays as it is and is not copied."""

    table: Any

    @classmethod
    def of(cls, table: Any) -> TableRows:  # noqa: ANN401  (pyarrow may not be there)
        """Those of a table, or of one batch."""
        if hasattr(table, "to_batches"):
            return cls(table)
        import pyarrow as pa

        return cls(pa.Table.from_batches([table]))

    def __iter__(self) -> Iterator[Entity]:
        """Make rows of a batch at a time."""
        for batch in self.table.to_batches():
            yield from entities(batch)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @overload
    def __getitem__(self, index: int) -> Entity: ...
    @overload
    def __getitem__(self, index: slice) -> TableRows: ...
    def __getitem__(self, index: int | slice) -> Entity | TableRows:
        """A row, or a table of some."""
        numbers = range(len(self))[index]
        if isinstance(numbers, range):
            return TableRows(self.table.take(list(numbers)))
        return next(iter(TableRows(self.table.slice(numbers, 1))))

    def __repr__(self) -> str:
        return f"<table of {len(self)}>"


@dataclass(frozen=True, slots=True, eq=False)
class FrameRows(Sequence[Any]):
    """Rows of a frame of pandas."""

    frame: Any

    @classmethod
    def of(cls, frame: Any) -> FrameRows:  # noqa: ANN401  (pandas may not be there)
        """Those of a copy.

        :raises InvalidColumns: if two columns have one name.
        :raises TypeError: for what is no frame.
        """
        if not hasattr(frame, "itertuples"):
            raise TypeError(f"expected a pandas DataFrame, not {short_repr(frame)}")
        if len(frame.columns):
            distinct_names([str(name) for name in frame.columns])
        return cls(frame.copy())

    def __iter__(self) -> Iterator[Entity]:
        """Make one row after the other."""
        names = [str(name) for name in self.frame.columns]
        for values in self.frame.itertuples(index=False, name=None):
            yield Entity(**dict(zip(names, values, strict=True)))

    def __len__(self) -> int:
        return len(self.frame)

    @overload
    def __getitem__(self, index: int) -> Entity: ...
    @overload
    def __getitem__(self, index: slice) -> FrameRows: ...
    def __getitem__(self, index: int | slice) -> Entity | FrameRows:
        """A row, or a frame of some."""
        numbers = range(len(self))[index]
        if isinstance(numbers, range):
            return FrameRows(self.frame.iloc[index])
        return next(iter(FrameRows(self.frame.iloc[numbers : numbers + 1])))

    def __repr__(self) -> str:
        return f"<frame of {len(self)}>"


def by_position(rows: Iterable[Any]) -> Iterable[Any]:
    """The rows of a frame, series or table; other rows as they are.

    Those would iterate over their columns, or be numbered by their labels. Nothing is
    imported for it.

    :raises TypeError: for a frame of another package.
    """
    if isinstance(rows, list | tuple | range):
        return rows  # as most are
    kind = type(rows)
    if hasattr(kind, "iloc"):
        return FrameRows.of(rows) if hasattr(kind, "itertuples") else list(rows)
    if hasattr(kind, "to_pydict") and hasattr(kind, "num_rows"):
        return TableRows.of(rows)
    if hasattr(kind, "__dataframe__"):
        raise TypeError(
            f"a {kind.__name__} iterates over its columns; for its rows write "
            "`from_df(frame.to_pandas())`, or `from_arrow(frame.to_arrow())`"
        )
    return rows


def entities(batch: Any) -> Iterator[Entity]:  # noqa: ANN401  (pyarrow has no types)
    """The rows of an Arrow batch; vectors and tensors are numpy arrays."""
    if not hasattr(batch, "schema"):
        raise TypeError(f"expected an Arrow batch, not {short_repr(batch)}")
    names = batch.schema.names
    if names:
        distinct_names(names)
    for values in zip(*map(_values, batch.columns), strict=True):
        yield Entity(**dict(zip(names, values, strict=True)))


def _values(column: Any) -> list[Any]:  # noqa: ANN401
    return spread(column) if holds_arrays(column) else list(column.to_pylist())


def _check_names(path: Path, wanted: Sequence[str], there: Sequence[str]) -> None:
    for name in wanted:
        if name not in there:
            raise MissingColumn(
                f"`{path}` has no column `{name}`{did_you_mean(name, there)}",
                hint=f"Its columns are: {', '.join(f'`{each}`' for each in there)}",
            )
