"""The operator: vectors are in memory, metadata stay in SQLite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from plugin_spec.records import check_scale, unit_vector
from plugin_spec.vector_stores import (
    SearchOperator,
    SearchResult,
    StoreUnavailable,
    check_store,
)

from .catalogue import Catalogue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from plugin_spec.records import Vector
    from plugin_spec.spaces import EmbeddingSpace


class FaissSearch(SearchOperator):
    """Search a folder's vectors; every option has a page in ``operator.yaml``."""

    def __init__(
        self,
        *,
        path: str,
        metric: str | None = None,
        topk: int = 5,
        filter: str | None = None,  # noqa: A002  (every store calls it so)
        allow_mixed_spaces: bool = False,
    ) -> None:
        self.allow_mixed_spaces = allow_mixed_spaces
        self._path, self._topk, self._filter = path, topk, filter
        self._catalogue = Catalogue(Path(path))
        check_store(path, metric=metric, made_with=self._catalogue.metric)
        self._load()

    @property
    def place(self) -> str:
        """The folder."""
        return self._path

    @property
    def held_space(self) -> EmbeddingSpace | None:
        """The space that the catalogue names."""
        return self._catalogue.space

    @property
    def is_current(self) -> bool:
        """Whether the store is still the one that was opened."""
        return self._catalogue.is_there

    def prepare(self, query: object) -> Vector:
        """Check one query."""
        vector = super().prepare(query)
        check_store(
            self._path,
            metric=None,
            made_with=None,
            length=len(vector),
            expected=self._catalogue.length,
        )
        if self._catalogue.metric == "cosine":
            return unit_vector(vector)
        check_scale(vector)
        return vector

    def predict(self, batch: Sequence[Vector]) -> list[SearchResult]:
        """Find the nearest of each query, among what is in the store by now.

        :raises StoreUnavailable: if it was removed, or another is in its place.
        """
        if not self.is_current:
            raise StoreUnavailable(
                f"The store in `{self._path}` was removed after it was opened",
                hint="Write the chain anew, or make the pipeline again",
            )
        if self._catalogue.version != self._version:
            self._load()
        count = min(self._topk, len(self._found))
        if not count:
            return [SearchResult([], [], []) for _ in batch]
        among = faiss.SearchParameters(sel=self._selector)  # type: ignore[call-arg]  # its types forget it
        scores, positions = self._index.search(np.stack(batch), count, params=among)
        if self._catalogue.metric == "L2":
            scores = np.sqrt(np.maximum(scores, 0))  # faiss leaves out the root
        return [self._result(*found) for found in zip(scores, positions, strict=True)]

    def set_threads(self, count: int) -> None:
        """Limit what faiss starts when this thread calls it."""
        faiss.omp_set_num_threads(count)

    def describe(self) -> dict[str, Any]:
        """What decides the results."""
        return {
            "path": self._path,
            "metric": self._catalogue.metric,
            "topk": self._topk,
            "filter": self._filter,
        }

    def close(self) -> None:
        """Close the catalogue."""
        self._catalogue.close()

    def _load(self) -> None:
        self._version = self._catalogue.version
        with self._catalogue.reading():
            self._found = self._catalogue.positions(self._filter)
            self._index = self._catalogue.index()
        # Without those that were replaced, which no record names any more.
        self._selector = faiss.IDSelectorBatch(self._found)

    def _result(self, scores: Vector, positions: NDArray[np.int64]) -> SearchResult:
        records = self._catalogue.records(positions.tolist())
        ids = [record.pop(self._catalogue.id_column) for record in records]
        return SearchResult(ids, scores.tolist(), records)
