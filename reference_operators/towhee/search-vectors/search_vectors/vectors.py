"""Vectors to search, in memory or in a file, always read in blocks."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from plugin_spec import HubError
from plugin_spec.space_files import numpy_space
from plugin_spec.spaces import EmbeddingSpace

from .checks import check_length, checked_vector
from .errors import InvalidVectors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import ArrayLike, NDArray

    from .checks import Matrix

_SHARED: Final = {"r", "r+", "w+"}
"""Modes of a memory map whose pages are the file's: giving them up loses nothing."""


class Vectors(ABC):
    """A matrix of vectors, of which a block at a time is in memory as float32."""

    count: int
    length: int
    resident: bool = False
    """Whether a block is a view of what is in memory anyway."""
    space: EmbeddingSpace | None = None
    """The space that they are known to be of."""

    @abstractmethod
    def blocks(self, rows: int) -> Iterator[tuple[int, Matrix]]:
        """Every vector in order: where a block starts, and the block.

        :param rows: how many vectors a block holds at most.
        """


class VectorArray(Vectors):
    """An array in memory, or a memory map, whose pages go once they were read."""

    def __init__(
        self, array: NDArray[Any], space: EmbeddingSpace | None = None
    ) -> None:
        self.space = space
        self.count, self.length = array.shape
        self._array = array
        mapped = isinstance(array, np.memmap)
        self.resident = array.dtype == np.float32 and not mapped

    def blocks(self, rows: int) -> Iterator[tuple[int, Matrix]]:
        """Views where the array is float32; copies of a block where it is not."""
        for start in range(0, self.count, rows):
            with np.errstate(over="ignore"):  # what overflows is refused as infinite
                yield start, np.asarray(self._array[start : start + rows], np.float32)
            _give_up_pages(self._array)


def open_vectors(
    data: str | os.PathLike[str] | Iterable[ArrayLike], column: str | None
) -> Vectors:
    """Find out what ``data`` is; what is in a file stays there.

    :param column: of a Parquet file, which one holds the vectors.
    :raises InvalidVectors: if it holds no vectors of one length.
    """
    if isinstance(data, str | os.PathLike):
        return _open_file(Path(data), column)
    if isinstance(data, np.ndarray) and _is_matrix(data):
        return VectorArray(data if _stays(data) else data.astype(np.float32))
    vectors = [checked_vector(item, f"vector {row}") for row, item in enumerate(data)]
    if not vectors:
        raise InvalidVectors(
            "There are no vectors to search", hint="Give `data` at least one"
        )
    for row, vector in enumerate(vectors):
        check_length(vector, f"vector {row}", len(vectors[0]))
    return VectorArray(np.stack(vectors), _space(data))


def _open_file(path: Path, column: str | None) -> Vectors:
    try:
        if path.suffix == ".parquet":
            from .parquet import VectorColumn  # noqa: PLC0415  (who has it, has pyarrow)

            return VectorColumn(path, column)
        if path.suffix == ".npy":
            array = np.load(path, mmap_mode="r")
            if _is_matrix(array):
                return VectorArray(array, numpy_space(path, len(array)))
            raise InvalidVectors(
                f"`{path}` holds {array.dtype} of shape {array.shape}, expected (N, D)"
            )
    except (OSError, ValueError) as error:
        if isinstance(error, HubError):
            raise
        raise InvalidVectors(f"Cannot read `{path}`: {error}") from error
    raise InvalidVectors(
        f"Cannot search `{path}`: it is no `.npy` and no `.parquet` file"
    )


def _space(data: object) -> EmbeddingSpace | None:
    """What a collection knows of its vectors."""
    space = getattr(data, "space", None)
    return space if isinstance(space, EmbeddingSpace) else None


def _is_matrix(array: NDArray[Any]) -> bool:
    return array.ndim == 2 and array.size > 0 and array.dtype.kind in "biuf"  # noqa: PLR2004


def _stays(array: NDArray[Any]) -> bool:
    """Whether an array needs no copy: a file's, or one that nobody can change."""
    if isinstance(array, np.memmap):
        return True
    if array.dtype != np.float32:
        return False
    owner: object = array
    while isinstance(owner, np.ndarray):
        if owner.flags.writeable:
            return False
        owner = owner.base
    return True


def _give_up_pages(array: NDArray[Any]) -> None:
    """Let pages of a memory map go: the file has them when they are asked for again."""
    mapped = getattr(array, "_mmap", None)
    if mapped is not None and array.mode in _SHARED and hasattr(mapped, "madvise"):  # type: ignore[attr-defined]
        from mmap import MADV_DONTNEED  # noqa: PLC0415  (not on every system)

        mapped.madvise(MADV_DONTNEED)
