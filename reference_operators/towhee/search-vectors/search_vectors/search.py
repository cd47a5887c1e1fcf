"""The operator: vectors are compared in blocks, queries are answered in batches."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from plugin_spec import ModelOperator
from plugin_spec.file_state import file_state
from plugin_spec.spaces import check_spaces

from .checks import check_direction, check_length, checked_vector
from .errors import InvalidVectors
from .vectors import open_vectors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from plugin_spec import EmbeddingSpace

    from .checks import Matrix, Vector

_BLOCK: Final = 1 << 14
"""Vectors that are compared at once: their scores are what takes memory."""

_ALONE: Final = 16
"""Blocks that are compared at once with one query, whose scores take little memory."""

_BLOCK_BYTES: Final = 1 << 26
"""Bytes that a block of a file has at most, however long its vectors are."""

_CALCULATIONS: Final = {"l2": "L2", "ip": "IP", "cosine": "cosine"}


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

    :param data: vectors of one length, finite; or the path of a file of them.
    :param cal: ``L2``, ``IP`` or ``cosine``, in either case.
    :param topk: how many results a query gets, if there are as many vectors.
    :param column: of a Parquet file, which one holds the vectors.
    :param allow_mixed_spaces: compare queries of another space than the data's.
    :raises InvalidVectors: if there is none, or they do not compare.
    """

    batch_size = 128

    def __init__(
        self,
        *,
        data: str | os.PathLike[str] | Iterable[ArrayLike],
        cal: str = "L2",
        topk: int = 5,
        column: str | None = None,
        allow_mixed_spaces: bool = False,
    ) -> None:
        self._file = data if isinstance(data, str | os.PathLike) else None
        self._state = None if self._file is None else file_state(self._file)
        self._place = "data" if self._file is None else str(self._file)
        self._allow_mixed_spaces = allow_mixed_spaces
        self._cal = _CALCULATIONS[cal.lower()]
        self._vectors = open_vectors(data, column)
        self._topk = min(topk, self._vectors.count)
        self._squares = np.concatenate(
            [self._survey(start, block) for start, block in self._blocks()]
        )
        self._largest = float(np.sqrt(self._squares.max()))

    def for_space(self, space: EmbeddingSpace) -> Self:
        """Hold the space of queries against that of the data.

        :raises SpacesDiffer: with every difference.
        """
        if not self._allow_mixed_spaces:
            check_spaces(
                self._place,
                held=self._vectors.space,
                given=space,
                hint="Embed both with one operator and the same options, or give "
                "`allow_mixed_spaces=True`",
            )
        return self

    @property
    def is_current(self) -> bool:
        """Whether the file is the one that was opened."""
        return self._file is None or file_state(self._file) == self._state

    def prepare(self, query: ArrayLike) -> Vector:
        """Check one query.

        :raises InvalidVectors: if its length is not that of the data.
        """
        vector = checked_vector(query, "the query")
        check_length(vector, "the query", self._vectors.length)
        if self._cal == "cosine":
            check_direction(vector, "the query")
        return vector

    def predict(self, batch: Sequence[Vector]) -> list[SearchResult]:
        """Find the nearest vectors of each query.

        :raises InvalidVectors: if the file is not the one that was opened.
        """
        if not self.is_current:
            raise InvalidVectors(
                f"`{self._place}` was changed after it was opened to be searched",
                hint="Write the chain anew, or make the pipeline again",
            )
        queries = np.stack(batch).astype(np.float64)
        if self._cal == "cosine":
            queries /= np.linalg.norm(queries, axis=1, keepdims=True)
        slack = self._slack(queries)
        limits = np.full(len(batch), np.inf, np.float32)
        found = [(np.empty(0, np.intp), np.empty(0))] * len(batch)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for start, block in self._blocks(len(batch)):
                costs = self._costs(queries, start, block)
                for row, near in _at_most(costs, limits):
                    likely = near[self._likely(costs[row, near], slack[row])]
                    for few in _in_parts(likely):
                        keys = self._keys(queries[row], block[few])
                        found[row] = self._nearest(found[row], (few + start, keys))
                    limits[row] = self._limit(queries[row], found[row][1], slack[row])
        sign = 1 if self._cal == "L2" else -1
        return [SearchResult(ids.tolist(), (sign * k).tolist()) for ids, k in found]

    def describe(self) -> dict[str, Any]:
        """What decides the results."""
        return {
            "cal": self._cal,
            "topk": self._topk,
            "vectors": self._vectors.count,
            "length": self._vectors.length,
        }

    def _blocks(self, queries: int = _ALONE) -> Iterator[tuple[int, Matrix]]:
        if self._vectors.resident:
            return self._vectors.blocks(_BLOCK * max(1, _ALONE // queries))
        fitting = _BLOCK_BYTES // (4 * self._vectors.length)
        return self._vectors.blocks(max(1, min(_BLOCK, fitting)))

    def _survey(self, start: int, block: Matrix) -> Vector:
        """The squares of a block's vectors, once each was seen to be one."""
        with np.errstate(over="ignore", invalid="ignore"):
            squares: Vector = np.einsum("nd,nd->n", block, block)
        if not np.isfinite(squares).all():
            for row in np.flatnonzero(~np.isfinite(squares)):
                checked_vector(block[row], f"vector {start + row}")
        if self._cal == "cosine" and not squares.all():
            check_direction(block, "data")
        return squares

    def _slack(self, queries: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far rounding may put a cost in float32 from its place, a query each."""
        sizes = np.linalg.norm(queries, axis=1) + self._largest
        if self._cal == "cosine":
            # Lengths whose squares leave float32 tell nothing: everything is likely.
            normal = np.finfo(np.float32).smallest_normal < self._squares.min()
            sizes[:] = 2 if normal and np.isfinite(self._largest) else np.inf
        slack: NDArray[np.float64] = sizes**2 * np.sqrt(queries.shape[1])
        return 4 * np.finfo(np.float32).eps * slack + np.finfo(np.float32).tiny

    def _costs(self, queries: NDArray[np.float64], start: int, block: Matrix) -> Matrix:
        """Numbers that grow with distance, by one matrix product, (queries, block)."""
        factor = -2 if self._cal == "L2" else -1
        costs: Matrix = (factor * queries).astype(np.float32) @ block.T
        squares = self._squares[start : start + len(block)]
        if self._cal == "L2":
            # |q - v|² without |q|², which is the same for every v.
            costs += squares
        elif self._cal == "cosine":
            costs /= np.sqrt(squares)
        return costs

    def _likely(self, costs: Vector, slack: float) -> NDArray[np.bool_]:
        """Which may be among the nearest: all as near as the ``topk``-th, or almost."""
        if len(costs) <= self._topk:
            return np.ones(len(costs), np.bool_)
        last = np.partition(costs, self._topk - 1)[self._topk - 1]
        # What has left float32's range cannot be told apart here, so it stays.
        likely: NDArray[np.bool_] = ~(costs > last + 2 * slack)
        return likely

    def _keys(self, query: NDArray[np.float64], block: Matrix) -> NDArray[np.float64]:
        """Distances, or similarities below zero, calculated directly in float64."""
        vectors = block.astype(np.float64)
        if self._cal == "L2":
            distances: NDArray[np.float64] = np.linalg.norm(vectors - query, axis=1)
            return distances
        if self._cal == "cosine":
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        # Not a matrix product, in which equal vectors may get sums that differ.
        keys: NDArray[np.float64] = -(vectors * query).sum(axis=1)
        return keys

    def _nearest(
        self, *found: tuple[NDArray[np.intp], NDArray[np.float64]]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        ids, keys = map(np.concatenate, zip(*found, strict=True))
        order = np.lexsort((ids, keys))[: self._topk]
        return ids[order], keys[order]

    def _limit(
        self, query: NDArray[np.float64], keys: NDArray[np.float64], slack: float
    ) -> float:
        """The cost above which nothing can be among the nearest any more."""
        if len(keys) < self._topk:
            return np.inf
        last = float(keys[-1])
        cost = last**2 - float(query @ query) if self._cal == "L2" else last
        return cost + slack


def _at_most(costs: Matrix, limits: Vector) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Each row that holds any, and where its costs do not exceed its limit."""
    rows, columns = np.nonzero(~(costs > limits[:, np.newaxis]))
    ends = np.searchsorted(rows, np.arange(len(costs) + 1))
    for row in np.flatnonzero(np.diff(ends)):
        yield int(row), columns[ends[row] : ends[row + 1]]


def _in_parts(ids: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """At most a block at once: in float64, what is likely takes memory again."""
    return (ids[start : start + _BLOCK] for start in range(0, len(ids), _BLOCK))
