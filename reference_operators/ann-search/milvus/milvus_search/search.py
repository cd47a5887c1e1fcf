"""The operator: a batch of queries is one search."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any, Final

from pymilvus import DataType
from pymilvus.exceptions import MilvusException

from plugin_spec.milvus_connection import connect, held_space
from plugin_spec.records import check_scale, unit_vector
from plugin_spec.vector_stores import (
    InvalidFilter,
    MissingStore,
    SearchOperator,
    SearchResult,
    check_store,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugin_spec.records import Vector
    from plugin_spec.spaces import EmbeddingSpace

_METRICS: Final = {"L2": "L2", "IP": "IP", "COSINE": "cosine"}


class MilvusSearch(SearchOperator):
    """Search a collection; every option has a page in ``operator.yaml``."""

    def __init__(  # noqa: PLR0913  (each says where or how)
        self,
        *,
        uri: str,
        collection: str,
        metric: str | None = None,
        topk: int = 5,
        filter: str | None = None,  # noqa: A002  (Milvus calls it so)
        allow_mixed_spaces: bool = False,
    ) -> None:
        self.allow_mixed_spaces = allow_mixed_spaces
        self._uri, self._name, self._topk = uri, collection, topk
        self._filter = filter or ""
        # A graph looks at 64 neighbours if it is not told, however many are asked for.
        self._params = {"params": {"ef": max(64, topk)}}
        self._client = connect(uri)
        if not self._client.has_collection(collection):
            raise MissingStore(
                f"There is no collection `{collection}` in `{uri}`",
                hint="Fill it with `ann_insert.milvus(uri=…, collection=…)` or "
                "`to_milvus`",
            )
        self._read()
        check_store(collection, metric=metric, made_with=self._metric)
        self._client.load_collection(collection)
        self._check_filter()

    @property
    def place(self) -> str:
        """The collection."""
        return self._name

    @property
    def held_space(self) -> EmbeddingSpace | None:
        """The space that the collection's properties name."""
        return held_space(self._client, self._name)

    def prepare(self, query: object) -> Vector:
        """Check one query."""
        vector = super().prepare(query)
        check_store(
            self._name,
            metric=None,
            made_with=None,
            length=len(vector),
            expected=self._length,
        )
        if self._metric == "cosine":
            return unit_vector(vector)
        check_scale(vector)
        return vector

    def predict(self, batch: Sequence[Vector]) -> list[SearchResult]:
        """Find the nearest of each query, among what is in the collection by now."""
        found = self._client.search(
            self._name,
            data=list(batch),
            anns_field=self._vector,
            limit=self._topk,
            filter=self._filter,
            output_fields=self._columns,
            search_params=self._params,
            consistency_level="Strong",
        )
        return [self._result(hits) for hits in found]

    def describe(self) -> dict[str, Any]:
        """What decides the results."""
        return {
            "uri": self._uri,
            "collection": self._name,
            "metric": self._metric,
            "topk": self._topk,
            "filter": self._filter or None,
        }

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _result(self, hits: Sequence[Any]) -> SearchResult:
        # Milvus leaves out the root.
        root = self._metric == "L2"
        scores = [hit["distance"] for hit in hits]
        entities = [hit["entity"] for hit in hits]
        return SearchResult(
            [hit[self._id] for hit in hits],
            [sqrt(max(score, 0)) for score in scores] if root else scores,
            [{name: each.get(name) for name in self._columns} for each in entities],
        )

    def _read(self) -> None:
        """Learn what the collection was made for."""
        fields = self._client.describe_collection(self._name)["fields"]
        vectors = [f for f in fields if f["type"] == DataType.FLOAT_VECTOR]
        if len(vectors) != 1:
            raise MissingStore(
                f"`{self._name}` has {len(vectors)} fields of vectors, expected one"
            )
        self._vector = vectors[0]["name"]
        self._length = vectors[0]["params"]["dim"]
        self._id = next(field["name"] for field in fields if field.get("is_primary"))
        names = [field["name"] for field in fields]
        self._columns = [n for n in names if n not in (self._id, self._vector)]
        index = self._client.describe_index(self._name, self._vector) or {}
        self._metric = _METRICS.get(index.get("metric_type", ""), "L2")

    def _check_filter(self) -> None:
        if not self._filter:
            return
        try:
            self._client.query(self._name, filter=self._filter, limit=1)
        except MilvusException as error:
            columns = ", ".join(f"`{name}`" for name in (self._id, *self._columns))
            raise InvalidFilter(
                f"Cannot filter by `{self._filter}`: {error.message}",
                hint=f"The columns are: {columns}",
            ) from error
