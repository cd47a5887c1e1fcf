"""Rows to Arrow's columns, and columns to numpy's arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from towhee.columnar.arrays import holds_arrays, spread, stack, stacked, stored
from towhee.columnar.kinds import Masked, check_one_kind
from towhee.columnar.widening import holds
from towhee.columns import Entity, columns_of
from towhee.extras import needed_for
from towhee.vector_files import UnwritableValue
from towhee.windows import Batches

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    Column: TypeAlias = Any
    """A ``pyarrow.Array``; pyarrow publishes no types."""
    Batch: TypeAlias = Any
    """A ``pyarrow.RecordBatch``."""
    Table: TypeAlias = Any
    """A ``pyarrow.Table``."""

VALUE: Final = " value"
"""The column of rows that have none: their values."""

_CHUNK: Final = 4096
_HELD: Final = "It holds numbers, text, bytes, times, lists, and arrays of one shape"


def pack(rows: Sequence[object]) -> Batch:
    """One chunk of rows as a record batch; a column that a row lacks is null there.

    >>> pack([Entity(a=1, b="x"), Entity(a=2)]).to_pydict()
    {'a': [1, 2], 'b': ['x', None]}

    :raises UnwritableValue: naming the column whose values Arrow cannot hold.
    :raises MissingColumn: if some rows have columns and others none.
    """
    with needed_for("Keeping rows as columns", extra="parquet"):
        import pyarrow as pa
    if not any(isinstance(row, Entity) for row in rows):
        return pa.record_batch({VALUE: as_column(VALUE, rows)} if rows else {})
    dicts = [columns_of(row) for row in rows]
    names = dict.fromkeys(name for columns in dicts for name in columns)
    return pa.record_batch(
        {
            name: as_column(name, [columns.get(name) for columns in dicts])
            for name in names
        }
    )


def pack_all(rows: Iterable[object]) -> Table:
    """Every row in one table, packed a chunk at a time.

    >>> pack_all([Entity(a=1), Entity(a=2.5)]).to_pydict()
    {'a': [1.0, 2.5]}

    :raises UnwritableValue: also if a column's types do not go together.
    """
    return joined(map(pack, Batches(_CHUNK)(iter(rows))))


def joined(batches: Iterable[Batch]) -> Table:
    """One table of batches whose types may differ as those of numbers do.

    :raises UnwritableValue: if they differ more.
    """
    with needed_for("Keeping rows as columns", extra="parquet"):
        import pyarrow as pa
    tables = [pa.Table.from_batches([batch]) for batch in batches] or [pa.table({})]
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise UnwritableValue(f"Arrow cannot join the rows: {error}") from error
    for schema in {part.schema for part in tables}:
        _check_kept(schema, table.schema)
    return table


def _check_kept(narrow: Any, wide: Any) -> None:  # noqa: ANN401  (schemas)
    for field in narrow:
        place = wide.get_field_index(field.name)
        if place >= 0 and not holds(wide.field(place).type, field.type):
            raise UnwritableValue(
                f"Arrow cannot join the rows: the column `{field.name}` is "
                f"{field.type} in some, and {wide.field(place).type} in others"
            )


def as_column(name: str, values: Any) -> Column:  # noqa: ANN401  (of any package)
    """Values, or an array with one along its first axis, as a column.

    :raises UnwritableValue: naming the column.
    """
    with needed_for("Keeping rows as columns", extra="parquet"):
        import numpy as np
        import pyarrow as pa
    try:
        if isinstance(values, pa.Array):
            return values
        if isinstance(values, pa.ChunkedArray):
            return values.combine_chunks()
        if isinstance(values, np.ndarray):
            # One of single values keeps its mask: what it hides is missing then.
            if isinstance(values, np.ma.MaskedArray) and values.ndim > 1:
                raise Masked
            if values.dtype != object:
                return stored(values)
            values = list(values)
        arrays = stack(values)
        if arrays is not None:
            return arrays
        if isinstance(values, list | tuple):
            check_one_kind(values)
        return pa.array(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        where = "the rows" if name == VALUE else f"the column `{name}`"
        raise UnwritableValue(
            f"Arrow cannot hold {where}: {error}",
            hint=getattr(error, "hint", None) or _HELD,
        ) from error


def as_array(column: Column) -> NDArray[Any]:
    """A column as an array with its values along the first axis, not to be written to.

    Without a copy where numpy can read Arrow's memory. Numbers among which some are
    missing become floats, with ``nan`` for those, and arrays among which some are
    missing an array of objects, with None for those.
    """
    import numpy as np
    from pyarrow import types

    if not column.null_count:
        if holds_arrays(column) or types.is_fixed_size_list(column.type):
            return stacked(column)
    elif holds_arrays(column):
        arrays = np.empty(len(column), object)
        arrays[:] = spread(column)
        return arrays
    return column.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
