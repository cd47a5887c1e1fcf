"""What counts as a vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from .errors import InvalidVectors

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Vector: TypeAlias = NDArray[np.float32]
    Matrix: TypeAlias = NDArray[np.float32]


def checked_vector(item: ArrayLike, what: str) -> Vector:
    """A vector as float32.

    :raises InvalidVectors: if it is none, or holds NaN or infinity.
    """
    try:
        found = np.asarray(item)
        with np.errstate(over="ignore"):  # what overflows is refused as infinite
            # Any other cast takes texts, and drops what is imaginary.
            vector = found.astype(np.float32, casting="same_kind", copy=False)
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


def check_length(vector: Vector, what: str, expected: int) -> None:
    """Refuse a vector of another length.

    :raises InvalidVectors: with both lengths.
    """
    if len(vector) != expected:
        raise InvalidVectors(
            f"Cannot search: {what} has {len(vector)} dimensions, the data {expected}",
            hint="Embed queries and data with one operator and the same options",
        )


def check_direction(vectors: NDArray[np.float32], what: str) -> None:
    """Refuse vectors of zeros, which have no cosine.

    :raises InvalidVectors: if there is one.
    """
    if not vectors.any(axis=-1).all():
        raise InvalidVectors(f"Cannot search by cosine: {what} holds a vector of zeros")
