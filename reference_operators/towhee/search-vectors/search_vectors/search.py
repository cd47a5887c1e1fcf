"""The operator: vectors are indexed once, queries are answered in batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from plugin_spec import HubError, ModelOperator

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    from numpy.typing import ArrayLike, NDArray

    Vector: TypeAlias = NDArray[np.float32]
    Matrix: TypeAlias = NDArray[np.float32]

_BLOCK: Final = 1 << 14
"""Vectors that are compared at once: their scores are what takes memory."""

_CALCULATIONS: Final = {"l2": "L2", "ip": "IP", "cosine": "cosine"}


class InvalidVectors(HubError, ValueError):
    """Vectors cannot be compared: none, of several lengths, or not numbers."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What was found for one query, nearest first."""

    ids: list[int]
    """Positions in the searched data."""
    scores: list[float]
    """Distances for L2; similarities for IP and cosine."""

    def __len__(self) -> int:
        """How many were found."""
        return len(self.ids)


class SearchVectors(ModelOperator):
    """Search ``data`` exhaustively: the answer is exact, ties go to the smaller id.

    :param data: vectors of one length, finite; read once, now.
    :param cal: ``L2``, ``IP`` or ``cosine``, in either case.
    :param topk: how many results a query gets, if there are as many vectors.
    :raises InvalidVectors: if there is none, or they do not compare.
    """

    batch_size = 64

    def __init__(
        self,
        *,
        data: Iterable[ArrayLike],
        cal: str = "L2",
        topk: int = 5,
    ) -> None:
        vectors = [_vector(item, f"vector {row}") for row, item in enumerate(data)]
        if not vectors:
            raise InvalidVectors(
                "There are no vectors to search", hint="Give `data` at least one"
            )
        for row, vector in enumerate(vectors):
            _check_length(vector, f"vector {row}", len(vectors[0]))
        self._cal = _CALCULATIONS[cal.lower()]
        self._vectors: Matrix = np.stack(vectors)
        self._topk = min(topk, len(vectors))
        if self._cal == "cosine":
            self._vectors = _unit(self._vectors, "data")
        with np.errstate(over="ignore"):
            self._squares = np.einsum("nd,nd->n", self._vectors, self._vectors)
        self._largest = float(np.sqrt(self._squares.max()))

    def prepare(self, query: ArrayLike) -> Vector:
        """Check one query.

        :raises InvalidVectors: if its length is not that of the data.
        """
        vector = _vector(query, "the query")
        _check_length(vector, "the query", self._vectors.shape[1])
        return _unit(vector, "the query") if self._cal == "cosine" else vector

    def predict(self, batch: Sequence[Vector]) -> list[SearchResult]:
        """Find the nearest vectors of each query."""
        queries = np.stack(batch)
        likely: list[list[NDArray[np.intp]]] = [[] for _ in batch]
        for start in range(0, len(self._vectors), _BLOCK):
            with np.errstate(over="ignore", invalid="ignore"):
                near = self._near(queries, start, start + _BLOCK)
            for ids, row in zip(likely, near, strict=True):
                ids.append(np.flatnonzero(row) + start)
        return [
            self._rank(query, np.concatenate(ids))
            for query, ids in zip(queries, likely, strict=True)
        ]

    def describe(self) -> dict[str, Any]:
        """What decides the results."""
        count, length = self._vectors.shape
        return {
            "cal": self._cal,
            "topk": self._topk,
            "vectors": count,
            "length": length,
        }

    def _near(self, queries: Matrix, start: int, stop: int) -> NDArray[np.bool_]:
        """Which vectors of a block may be among the nearest, (queries, block).

        All that are as near as the ``topk``-th, give or take what rounding can hide.
        """
        costs = self._costs(queries, start, stop)
        last = min(self._topk, costs.shape[1]) - 1
        limits = np.partition(costs, last, axis=1)[:, last : last + 1]
        sizes = np.linalg.norm(queries, axis=1, keepdims=True) + self._largest
        rounding = 4 * np.finfo(np.float32).eps * np.sqrt(queries.shape[1]) * sizes**2
        rounding += np.finfo(np.float32).tiny
        # What has left float32's range cannot be told apart here, so it stays.
        near: NDArray[np.bool_] = ~(costs > limits + rounding)
        return near

    def _costs(self, queries: Matrix, start: int, stop: int) -> Matrix:
        """Numbers that grow with distance, by one matrix product."""
        products: Matrix = queries @ self._vectors[start:stop].T
        if self._cal == "L2":
            # |q - v|² without |q|², which is the same for every v.
            costs: Matrix = self._squares[start:stop] - 2 * products
            return costs
        return -products

    def _rank(self, query: Vector, candidates: NDArray[np.intp]) -> SearchResult:
        """Order the candidates by their scores, calculated directly in float64."""
        vectors = self._vectors[candidates].astype(np.float64)
        if self._cal == "L2":
            scores = np.linalg.norm(vectors - query, axis=1)
            order = np.lexsort((candidates, scores))
        else:
            scores = vectors @ query.astype(np.float64)
            order = np.lexsort((candidates, -scores))
        best = order[: self._topk]
        return SearchResult(candidates[best].tolist(), scores[best].tolist())


def _vector(item: ArrayLike, what: str) -> Vector:
    try:
        with np.errstate(over="ignore"):  # what overflows is refused as infinite
            vector = np.asarray(item, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidVectors(
            f"Cannot search: {what} is no vector of numbers"
        ) from error
    if vector.ndim != 1 or not vector.size:
        raise InvalidVectors(
            f"Cannot search: {what} has the shape {vector.shape}, expected (D,)"
        )
    if not np.isfinite(vector).all():
        raise InvalidVectors(f"Cannot search: {what} holds NaN or infinity")
    return vector


def _check_length(vector: Vector, what: str, expected: int) -> None:
    if len(vector) != expected:
        raise InvalidVectors(
            f"Cannot search: {what} has {len(vector)} dimensions, the data {expected}",
            hint="Embed queries and data with one operator and the same options",
        )


def _unit(vectors: NDArray[np.float32], what: str) -> NDArray[np.float32]:
    largest = np.abs(vectors).max(axis=-1, keepdims=True)
    if not largest.all():
        raise InvalidVectors(f"Cannot search by cosine: {what} holds a vector of zeros")
    unit: NDArray[np.float32] = vectors / largest  # so that no square overflows
    unit /= np.linalg.norm(unit, axis=-1, keepdims=True)
    return unit
