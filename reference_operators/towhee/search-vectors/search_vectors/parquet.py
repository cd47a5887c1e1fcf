"""A column of vectors in a Parquet file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from plugin_spec.space_files import parquet_spaces

from .errors import InvalidVectors
from .vectors import Vectors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .checks import Matrix


class VectorColumn(Vectors):
    """A column of lists of numbers, decoded anew each time it is read.

    :param column: its name; by default the only such column there is.
    :raises InvalidVectors: if there is none, or not one length.
    """

    def __init__(self, path: Path, column: str | None) -> None:
        try:
            from pyarrow import parquet  # noqa: PLC0415  (only who asks for it has it)
        except ImportError as error:
            raise InvalidVectors(
                f"Cannot read `{path}`: `.parquet` files need pyarrow",
                hint="Install pyarrow, or write the vectors to a `.npy` file",
            ) from error
        # Read by pages, not by groups of rows: a file may have one group.
        self._file = parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
        self._path = path
        self._column = column or _vector_column(self._file.schema_arrow, path)
        # The file's, not the schema's: what was said after the rows is in these alone.
        spaces = parquet_spaces(str(path), self._file.metadata.metadata)
        self.space = spaces.get(self._column)
        self.count = self._file.metadata.num_rows
        if self._column not in self._file.schema_arrow.names or not self.count:
            raise InvalidVectors(f"`{path}` holds no vectors under `{self._column}`")
        self.length = next(self.blocks(1))[1].shape[1]

    def blocks(self, rows: int) -> Iterator[tuple[int, Matrix]]:
        """Copies of a block."""
        start = 0
        for batch in self._file.iter_batches(rows, columns=[self._column]):
            block = self._matrix(batch.column(0), start)
            yield start, block
            start += len(block)

    def _matrix(self, column: Any, start: int) -> Matrix:  # noqa: ANN401  (pyarrow has no types)
        from pyarrow import compute  # noqa: PLC0415

        lengths = compute.list_value_length(column)
        lengths = lengths.fill_null(0).to_numpy(zero_copy_only=False)
        expected = getattr(self, "length", lengths[0])
        values = column.flatten()
        if (lengths != expected).any() or not expected or values.null_count:
            row = start + int(np.argmax(lengths != expected))
            raise InvalidVectors(
                f"Cannot search `{self._path}`: `{self._column}` holds vectors of "
                f"several lengths, or none, from row {row} on"
            )
        with np.errstate(over="ignore"):  # what overflows is refused as infinite
            flat = values.to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
        matrix: Matrix = flat.reshape(len(column), -1)
        return matrix


def _vector_column(schema: Any, path: Path) -> str:  # noqa: ANN401  (pyarrow has no types)
    names = [field.name for field in schema if _holds_vectors(field.type)]
    if len(names) == 1:
        return str(names[0])
    listed = ", ".join(f"`{name}`" for name in names) or "none"
    raise InvalidVectors(
        f"`{path}` has no column of vectors that stands out, found: {listed}",
        hint="Name it: `column='embedding'`",
    )


def _holds_vectors(kind: Any) -> bool:  # noqa: ANN401  (pyarrow has no types)
    from pyarrow import types  # noqa: PLC0415

    lists = types.is_list, types.is_large_list, types.is_fixed_size_list
    numbers = types.is_floating, types.is_integer
    return any(is_list(kind) for is_list in lists) and any(
        is_number(kind.value_type) for is_number in numbers
    )
