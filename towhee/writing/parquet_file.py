"""Parquet, a group of rows at a time."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from plugin_spec.space_files import parquet_metadata
from towhee.columnar.packing import VALUE
from towhee.columnar.widening import holds
from towhee.extras import needed_for
from towhee.vector_files import UnwritableValue
from towhee.writing.staging import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from plugin_spec.spaces import EmbeddingSpace
    from towhee.columnar.packing import Batch, Column
    from towhee.writing.staging import PathLike

_ONLY = "value"
"""The column of rows that have none."""


def write_parquet(
    path: PathLike,
    batches: Iterable[Batch],
    *,
    schema: Any,  # noqa: ANN401  (pyarrow has no types)
    compression: str,
    spaces: Mapping[str, EmbeddingSpace] | None = None,
) -> None:
    """Write each batch as a group of rows; no other is held meanwhile.

    :param schema: a ``pyarrow.Schema``, that of the first batch if there is none.
        Floats are rounded only to one that is given.
    :param spaces: of the vectors in columns; the schema's metadata say them.
    :raises UnwritableValue: naming the column that does not fit the schema.
    """
    with needed_for("Writing Parquet", extra="parquet"):
        import pyarrow as pa
        from pyarrow import parquet
    fits = _is_equal if schema is None else _is_told
    with replacing(path) as staged, ExitStack() as stack:
        writer = None
        for batch in map(_named, batches):
            schema = batch.schema if schema is None else schema
            if writer is None:
                schema = _with_spaces(schema, spaces or {})
                try:
                    writer = parquet.ParquetWriter(
                        staged, schema, compression=compression
                    )
                except pa.ArrowNotImplementedError as error:
                    raise UnwritableValue(
                        f"Parquet cannot hold the rows: {error}",
                        hint="Make text of such values first, with `map`",
                    ) from error
                stack.enter_context(writer)
            writer.write_batch(_fitted(batch, schema, fits))
        if writer is None:
            schema = _with_spaces(schema or pa.schema([]), spaces or {})
            parquet.write_table(schema.empty_table(), staged)


def _with_spaces(schema: Any, spaces: Mapping[str, EmbeddingSpace]) -> Any:  # noqa: ANN401  (as above)
    there = {name: spaces[name] for name in schema.names if name in spaces}
    if not there:
        return schema
    return schema.with_metadata({**(schema.metadata or {}), **parquet_metadata(there)})


def _named(batch: Batch) -> Batch:
    """Rows without columns get one."""
    return batch.rename_columns([_ONLY]) if batch.schema.names == [VALUE] else batch


def _fitted(batch: Batch, schema: Any, fits: Callable[[Column, Any], bool]) -> Batch:  # noqa: ANN401
    import pyarrow as pa

    if batch.schema.equals(schema):
        return batch
    there = batch.schema.names
    if more := [name for name in there if name not in schema.names]:
        raise UnwritableValue(
            f"the column `{more[0]}` is not in the schema, or in the first rows",
            hint="Give every row the same columns, with `fill_entity` or `select`",
        )
    columns = [
        _as(field, batch.column(field.name), fits)
        if field.name in there
        else pa.nulls(len(batch), field.type)
        for field in schema
    ]
    return pa.record_batch(columns, schema=schema)


def _as(field: Any, column: Column, fits: Callable[[Column, Any], bool]) -> Column:  # noqa: ANN401
    import pyarrow as pa

    if column.type.equals(field.type):
        return column
    try:
        if not fits(column, field.type):
            raise pa.ArrowInvalid("values would be changed")
        return column.cast(field.type)
    except pa.ArrowException as error:
        raise UnwritableValue(
            f"the column `{field.name}` is {field.type} in the schema, or in the first "
            f"rows, and {column.type} later: {error}",
            hint="Give `schema=` a `pyarrow.Schema` that fits all rows",
        ) from error


def _is_equal(column: Column, wanted: Any) -> bool:  # noqa: ANN401
    return holds(wanted, column.type)


def _is_told(column: Column, wanted: Any) -> bool:  # noqa: ANN401
    """Whether values can be told from their form in a type that was asked for.

    Only floats may be rounded.
    """
    if holds(wanted, column.type, rounded=True):
        return True
    return bool(column.cast(wanted).cast(column.type).equals(column))
