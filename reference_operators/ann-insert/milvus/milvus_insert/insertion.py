"""The operator: a batch is one upsert."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pymilvus import DataType, MilvusClient

from plugin_spec.milvus_connection import (
    SPACE,
    connect,
    held_space,
    is_file,
)
from plugin_spec.records import (
    InvalidRecord,
    check_columns,
    check_scale,
    columns_of,
    storable,
)
from plugin_spec.vector_stores import (
    InsertOperator,
    check_columns_there,
    check_store,
    last_of_each,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plugin_spec.records import Record
    from plugin_spec.spaces import EmbeddingSpace

_NOTE: Final = "towhee.note"
"""The collection's property that holds what was noted."""

_LONGEST: Final = 65_535
"""Bytes of a text, Milvus's own limit."""

_TYPES: Final = {
    "text": DataType.VARCHAR,
    "int": DataType.INT64,
    "float": DataType.DOUBLE,
    "bool": DataType.BOOL,
    "json": DataType.JSON,
}
_KINDS: Final = {kind: name for name, kind in _TYPES.items()}


class MilvusInsert(InsertOperator):
    """Put records into a collection; every option has a page in ``operator.yaml``."""

    def __init__(  # noqa: PLR0913  (each says where or how)
        self,
        *,
        uri: str,
        collection: str,
        metric: str | None = None,
        id: str = "id",  # noqa: A002  (the field's name)
        vector: str = "vector",
        batch_size: int = 256,
    ) -> None:
        self._uri, self._name, self._metric = uri, collection, metric
        self.id_column, self.vector_column = id, vector
        self.batch_size = batch_size
        self._client = connect(uri)
        self._fields: dict[str, Any] = {}
        if self._client.has_collection(collection):
            self._read()

    def prepare(self, record: object) -> Record:
        """Check one record."""
        parsed = super().prepare(record)
        check_scale(parsed.vector, cosine=self._metric == "cosine")
        texts = {self.id_column: parsed.id, **parsed.metadata}
        for name, value in texts.items():
            if isinstance(value, str) and len(value.encode()) > _LONGEST:
                raise InvalidRecord(
                    f"`{name}` is longer than Milvus's {_LONGEST} bytes"
                )
        return parsed

    def insert(
        self, records: Sequence[Record], *, note: Mapping[str, object] | None = None
    ) -> None:
        """Write a batch, then the note; without a collection nothing is noted."""
        records = last_of_each(records)
        if records and not self._fields:
            if self.exists:  # made by another meanwhile
                self._read()
                self.check_space(held_space(self._client, self._name))
            else:
                self._make(records, noted=note is not None)
        if records:
            self._check(records)
            self._client.upsert(self._name, [self._row(each) for each in records])
        if note is not None and self._fields:
            self._client.alter_collection_properties(
                self._name, properties={_NOTE: json.dumps(note)}
            )

    @property
    def place(self) -> str:
        """The collection."""
        return self._name

    @property
    def held_space(self) -> EmbeddingSpace | None:
        """The space that the collection's properties name."""
        if not self._client.has_collection(self._name):
            return None
        return held_space(self._client, self._name)

    def note(self) -> Mapping[str, object] | None:
        """What was noted last."""
        if not self._client.has_collection(self._name):
            self._fields = {}
            return None
        self._read()
        properties = self._client.describe_collection(self._name)["properties"]
        text = properties.get(_NOTE)
        return None if text is None else json.loads(text)

    @property
    def exists(self) -> bool:
        """Whether there is a collection."""
        return bool(self._fields) or self._client.has_collection(self._name)

    def finish(self) -> None:
        """Let Milvus seal what it holds in memory."""
        if self._fields:
            self._client.flush(self._name)

    def describe(self) -> dict[str, Any]:
        """Where the records go."""
        where = {"uri": self._uri, "collection": self._name}
        return {**where, "metric": self._metric}

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _make(self, records: Sequence[Record], *, noted: bool) -> None:
        first = records[0]
        note = {_NOTE: "{}"} if noted else {}
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        if isinstance(first.id, int):
            schema.add_field(self.id_column, DataType.INT64, is_primary=True)
        else:
            schema.add_field(
                self.id_column, DataType.VARCHAR, is_primary=True, max_length=_LONGEST
            )
        schema.add_field(
            self.vector_column, DataType.FLOAT_VECTOR, dim=len(first.vector)
        )
        for name, kind in columns_of(records, mixed=False).items():
            length = {"max_length": _LONGEST} if kind == "text" else {}
            schema.add_field(name, _TYPES[kind], nullable=True, **length)
        self._clear_unfinished()
        self._client.create_collection(
            self._name,
            schema=schema,
            index_params=self._index_params(),
            properties={**note, **self._space()},
        )
        self._read()

    def _index_params(self) -> Any:  # noqa: ANN401  (the client's own)
        index = MilvusClient.prepare_index_params()
        index.add_index(
            self.vector_column,
            # A file's AUTOINDEX is a graph, in which a search misses most of what it is
            # asked for beyond 64 results; and no search in a file is faster with it.
            index_type="FLAT" if is_file(self._uri) else "AUTOINDEX",
            metric_type=(self._metric or "L2").upper(),
        )
        return index

    def _clear_unfinished(self) -> None:
        """Remove what a kill left of a file's collection: a folder, and nothing in it.

        milvus-lite does not take it for a collection, and makes none in its place.
        """
        folder = Path(self._uri, "collections", self._name)
        if is_file(self._uri) and not (folder / "schema.json").exists():
            shutil.rmtree(folder, ignore_errors=True)

    def _space(self) -> dict[str, str]:
        given = self.given_space
        return {} if given is None else {SPACE: json.dumps(given.to_dict())}

    def _read(self) -> None:
        """Learn what the collection was made for."""
        fields = self._client.describe_collection(self._name)["fields"]
        self._fields = {field["name"]: field for field in fields}
        keys = [self.id_column, self.vector_column]
        check_columns_there(self._name, keys, [*self._fields])
        if not self._client.list_indexes(self._name, self.vector_column):
            # A kill can come between a collection and its index.
            self._client.create_index(self._name, self._index_params())
        index = self._client.describe_index(self._name, self.vector_column) or {}
        made_with = {"L2": "L2", "IP": "IP", "COSINE": "cosine"}.get(
            index.get("metric_type", "")
        )
        check_store(self._name, metric=self._metric, made_with=made_with)
        self._metric = self._metric or made_with

    def _check(self, records: Sequence[Record]) -> None:
        """Refuse what the collection cannot hold, before anything is written."""
        length = self._fields[self.vector_column]["params"]["dim"]
        key = self._fields[self.id_column]["type"]
        wanted = int if key == DataType.INT64 else str
        for record in records:
            check_store(
                self._name,
                metric=None,
                made_with=None,
                length=len(record.vector),
                expected=length,
            )
            if not isinstance(record.id, wanted):
                raise InvalidRecord(
                    f"`{self._name}` has ids of the type {DataType(key).name}, "
                    f"got {record.id!r}"
                )
        # A file's JSON is a list or a mapping, and pymilvus reads a text as JSON.
        check_columns(records, self._columns, mixed=False)

    @property
    def _columns(self) -> dict[str, str]:
        keys = (self.id_column, self.vector_column)
        return {
            name: _KINDS.get(field["type"], "json")
            for name, field in self._fields.items()
            if name not in keys
        }

    def _row(self, record: Record) -> dict[str, Any]:
        metadata = {n: storable(record.metadata.get(n)) for n in self._columns}
        keys = {self.id_column: record.id, self.vector_column: record.vector}
        return {**keys, **metadata}
