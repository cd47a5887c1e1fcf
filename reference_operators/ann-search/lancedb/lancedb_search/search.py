"""The operator: a table is searched as it is at that moment."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import timedelta
from math import sqrt
from typing import TYPE_CHECKING, Any, Final

import lancedb

from plugin_spec.records import check_scale, unit_vector
from plugin_spec.spaces import EmbeddingSpace
from plugin_spec.vector_stores import (
    InvalidFilter,
    MissingStore,
    SearchOperator,
    SearchResult,
    StoreUnavailable,
    check_columns_there,
    check_store,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from plugin_spec.records import Vector

_DISTANCES: Final = {"L2": "l2", "IP": "dot", "cosine": "cosine"}


class LanceSearch(SearchOperator):
    """Search a table; every option has a page in ``operator.yaml``."""

    def __init__(  # noqa: PLR0913  (each says where or how)
        self,
        *,
        uri: str,
        table: str,
        metric: str | None = None,
        topk: int = 5,
        filter: str | None = None,  # noqa: A002  (LanceDB calls it so)
        id: str | None = None,  # noqa: A002  (the column's name)
        vector: str | None = None,
        allow_mixed_spaces: bool = False,
    ) -> None:
        self.allow_mixed_spaces = allow_mixed_spaces
        self._uri, self._name, self._topk, self._filter = uri, table, topk, filter
        self._table = _open(uri, table)
        self._vector = vector or self._only_vector()
        names = self._table.schema.names
        check_columns_there(table, [self._vector], names)
        made = self._made()
        self._id: str = id or made.get("id", "id")
        check_columns_there(table, [self._id], names)
        check_store(table, metric=metric, made_with=made.get("metric"))
        self._metric: str = metric or made.get("metric", "L2")
        columns = made.get("columns", {})
        self._json = {name for name, kind in columns.items() if kind == "json"}
        self._check_filter()

    @property
    def place(self) -> str:
        """The table."""
        return self._name

    @property
    def held_space(self) -> EmbeddingSpace | None:
        """The space that the vector column's metadata name."""
        said = self._made().get("space")
        return None if said is None else EmbeddingSpace.from_dict(said)

    def prepare(self, query: object) -> Vector:
        """Check one query."""
        vector = super().prepare(query)
        with self._reading():
            expected = self._table.schema.field(self._vector).type.list_size
        check_store(
            self._name,
            metric=None,
            made_with=None,
            length=len(vector),
            expected=expected,
        )
        if self._metric == "cosine":
            return unit_vector(vector)
        check_scale(vector)
        return vector

    def predict(self, batch: Sequence[Vector]) -> list[SearchResult]:
        """Find the nearest of each query, among what is in the table by now.

        :raises StoreUnavailable: if it cannot be read any more.
        """
        with self._reading():
            return [self._search(query) for query in batch]

    def describe(self) -> dict[str, Any]:
        """What decides the results."""
        return {
            "uri": self._uri,
            "table": self._name,
            "metric": self._metric,
            "topk": self._topk,
            "filter": self._filter,
        }

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError) as error:
            said = str(error).partition(", /")[0]  # a place in its own source follows
            raise StoreUnavailable(
                f"Cannot search the table `{self._name}` in `{self._uri}`: {said}",
                hint="See whether it was removed; if so, fill it again",
            ) from error

    def _search(self, query: Vector) -> SearchResult:
        search = self._table.search(query, vector_column_name=self._vector)
        search = search.distance_type(_DISTANCES[self._metric]).limit(self._topk)
        if self._filter:
            search = search.where(self._filter, prefilter=True)
        rows = search.select([*self._columns, "_distance"]).to_arrow().to_pylist()
        scores = [self._score(row.pop("_distance")) for row in rows]
        ids = [row.pop(self._id) for row in rows]
        for row in rows:
            for name in self._json & row.keys():
                row[name] = None if row[name] is None else json.loads(row[name])
        return SearchResult(ids, scores, rows)

    def _score(self, distance: float) -> float:
        # LanceDB leaves out the root, and takes similarities from 1.
        return sqrt(distance) if self._metric == "L2" else 1 - distance

    @property
    def _columns(self) -> list[str]:
        return [name for name in self._table.schema.names if name != self._vector]

    def _made(self) -> dict[str, Any]:
        metadata = self._table.schema.field(self._vector).metadata or {}
        made: dict[str, Any] = json.loads(metadata.get(b"towhee", b"{}"))
        return made

    def _only_vector(self) -> str:
        """The column of vectors, where there is one; ``vector`` otherwise."""
        fields = self._table.schema
        found = [each.name for each in fields if hasattr(each.type, "list_size")]
        return found[0] if len(found) == 1 else "vector"

    def _check_filter(self) -> None:
        if not self._filter:
            return
        try:
            self._table.search().where(self._filter).limit(1).to_arrow()
        except (ValueError, RuntimeError, OSError) as error:
            columns = ", ".join(f"`{name}`" for name in self._columns)
            raise InvalidFilter(
                f"Cannot filter by `{self._filter}`: {error}",
                hint=f"The columns are: {columns}",
            ) from error


def _open(uri: str, table: str) -> Any:  # noqa: ANN401  (lancedb has no common type)
    try:
        # What others write is found by the next search.
        database = lancedb.connect(uri, read_consistency_interval=timedelta(0))
        return database.open_table(table)
    except (ValueError, OSError, RuntimeError) as error:
        if "not found" not in str(error):
            raise StoreUnavailable(f"Cannot open `{uri}`: {error}") from error
        raise MissingStore(
            f"There is no table `{table}` in `{uri}`",
            hint="Fill it with `ann_insert.lancedb(uri=…, table=…)` or `to_lancedb`",
        ) from error
