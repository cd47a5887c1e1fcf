"""The operator: a batch is one commit of the table."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import lancedb
import numpy as np
import pyarrow as pa

from plugin_spec.records import (
    InvalidRecord,
    check_columns,
    check_scale,
    columns_of,
    storable,
)
from plugin_spec.spaces import EmbeddingSpace
from plugin_spec.vector_stores import (
    InsertOperator,
    StoreUnavailable,
    check_columns_there,
    check_store,
    last_of_each,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from plugin_spec.records import Record

_MADE: Final = "towhee"
"""The vector column's metadata say what a table was made for, and what was noted."""
_NOTE: Final = "towhee-note"

_TYPES: Final = {
    "text": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "json": pa.string(),
}


class LanceInsert(InsertOperator):
    """Put records into a table; every option has a page in ``operator.yaml``."""

    def __init__(  # noqa: PLR0913  (each says where or how)
        self,
        *,
        uri: str,
        table: str,
        metric: str | None = None,
        id: str = "id",  # noqa: A002  (the column's name)
        vector: str = "vector",
        batch_size: int = 256,
    ) -> None:
        self._name, self._metric = table, metric
        self.id_column, self.vector_column = id, vector
        self.batch_size = batch_size
        try:
            self._database = lancedb.connect(uri)
            self._table: Any = self._open()
        except (OSError, RuntimeError) as error:
            raise StoreUnavailable(f"Cannot open `{uri}`: {error}") from error
        if self._table is not None:
            check_columns_there(table, [id, vector], self._table.schema.names)
            made_with = self._made.get("metric")
            check_store(table, metric=metric, made_with=made_with)
            self._metric = metric or made_with

    def prepare(self, record: object) -> Record:
        """Check one record."""
        parsed = super().prepare(record)
        check_scale(parsed.vector, cosine=self._metric == "cosine")
        return parsed

    def insert(
        self, records: Sequence[Record], *, note: Mapping[str, object] | None = None
    ) -> None:
        """Commit a batch, then the note; without a table nothing is noted."""
        records = last_of_each(records)
        with self._writing():
            if records and self._table is None:
                self._table = self._make(records, noted=note is not None)
                # Another may have made it meanwhile.
                self.check_space(self._said_space())
            if records:
                self._check(records)
                merging = self._table.merge_insert(self.id_column)
                merging.when_matched_update_all().when_not_matched_insert_all().execute(
                    self._rows(records)
                )
            if note is not None and self._table is not None:
                self._table.update_field_metadata(
                    {"path": self.vector_column, "metadata": {_NOTE: json.dumps(note)}}
                )

    @property
    def place(self) -> str:
        """The table."""
        return self._name

    @property
    def held_space(self) -> EmbeddingSpace | None:
        """The space that the vector column's metadata name."""
        self._table = self._open()
        return None if self._table is None else self._said_space()

    def note(self) -> Mapping[str, object] | None:
        """What was noted last."""
        self._table = self._open()
        if self._table is None:
            return None
        found: Mapping[str, object] | None = self._metadata(_NOTE)
        return found

    @property
    def exists(self) -> bool:
        """Whether there is a table."""
        return self._table is not None

    def finish(self) -> None:
        """Put many small files together."""
        if self._table is not None:
            with self._writing():
                self._table.optimize()

    def describe(self) -> dict[str, Any]:
        """Where the records go."""
        uri = str(self._database.uri)
        return {"uri": uri, "table": self._name, "metric": self._metric}

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except StoreUnavailable:
            raise
        except (OSError, RuntimeError) as error:
            # It ends with a line of the library's own source.
            said = str(error).partition(", /")[0]
            where = f"`{self._name}` in `{self._database.uri}`"
            raise StoreUnavailable(f"Cannot write to {where}: {said}") from error

    def _open(self) -> Any:  # noqa: ANN401  (lancedb has no common type)
        try:
            return self._database.open_table(self._name)
        except (ValueError, FileNotFoundError) as error:
            if "not found" in str(error):
                return None
            raise

    def _make(self, records: Sequence[Record], *, noted: bool) -> Any:  # noqa: ANN401  (as above)
        columns = columns_of(records)
        made: dict[str, object] = {
            "metric": self._metric or "L2",
            "id": self.id_column,
            "columns": columns,
        }
        if self.given_space is not None:
            made["space"] = self.given_space.to_dict()
        first = records[0]
        metadata = {_MADE: json.dumps(made), **({_NOTE: "{}"} if noted else {})}
        key = pa.int64() if isinstance(first.id, int) else pa.string()
        vectors = pa.list_(pa.float32(), len(first.vector))
        schema = pa.schema(
            [
                pa.field(self.id_column, key),
                pa.field(self.vector_column, vectors, metadata=metadata),
                *(pa.field(name, _TYPES[kind]) for name, kind in columns.items()),
            ]
        )
        try:
            return self._database.create_table(self._name, schema=schema)
        except ValueError:
            # Another has made it meanwhile: what does not fit is refused by the row.
            if (made_there := self._open()) is None:
                raise
            return made_there

    def _check(self, records: Sequence[Record]) -> None:
        """Refuse what the table cannot hold, before anything is written."""
        key, vectors = (
            self._table.schema.field(name).type
            for name in (self.id_column, self.vector_column)
        )
        wanted = int if pa.types.is_integer(key) else str
        for record in records:
            check_store(
                self._name,
                metric=None,
                made_with=None,
                length=len(record.vector),
                expected=vectors.list_size,
            )
            if not isinstance(record.id, wanted):
                raise InvalidRecord(
                    f"`{self._name}` has ids of the type {key}, got {record.id!r}"
                )
        check_columns(records, self._columns)

    def _rows(self, records: Sequence[Record]) -> pa.Table:
        schema = self._table.schema
        columns: dict[str, Any] = {self.id_column: [record.id for record in records]}
        vectors = np.stack([record.vector for record in records])
        columns[self.vector_column] = pa.FixedSizeListArray.from_arrays(
            vectors.ravel(), vectors.shape[1]
        )
        for name, kind in self._columns.items():
            values: list[Any] = [storable(each.metadata.get(name)) for each in records]
            if kind == "json" and name in self._made.get("columns", ()):
                values = [None if v is None else json.dumps(v) for v in values]
            columns[name] = self._column(name, values, schema.field(name).type)
        return pa.table(columns)

    def _column(self, name: str, values: list[Any], holds: pa.DataType) -> pa.Array:
        if holds == pa.float64():
            # Of ints, pyarrow takes none beyond 2**53, also those that are floats.
            values = [None if v is None else float(v) for v in values]
        try:
            return pa.array(values, holds)
        except pa.ArrowException as error:
            raise InvalidRecord(
                f"The column `{name}` of `{self._name}` holds {holds}: {error}",
                hint="Give values of that type",
            ) from error

    def _said_space(self) -> EmbeddingSpace | None:
        said = self._made.get("space")
        return None if said is None else EmbeddingSpace.from_dict(said)

    @property
    def _made(self) -> Mapping[str, Any]:
        return self._metadata(_MADE) or {}

    @property
    def _columns(self) -> dict[str, str]:
        """What each column holds, also in a table that another program made."""
        own: Mapping[str, str] = self._made.get("columns", {})
        keys = (self.id_column, self.vector_column)
        return {
            field.name: own.get(field.name) or _kind(field.type)
            for field in self._table.schema
            if field.name not in keys
        }

    def _metadata(self, key: str) -> Any:  # noqa: ANN401  (JSON)
        metadata = self._table.schema.field(self.vector_column).metadata or {}
        text = metadata.get(key.encode())
        return None if text is None else json.loads(text)


def _kind(column: pa.DataType) -> str:
    checks = {
        "text": pa.types.is_string,
        "int": pa.types.is_integer,
        "float": pa.types.is_floating,
        "bool": pa.types.is_boolean,
    }
    return next((kind for kind, fits in checks.items() if fits(column)), "json")
