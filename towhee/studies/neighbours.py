"""The nearest neighbours of every vector among the others, exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from towhee.studies.errors import CannotStudy

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

_BLOCK: Final = 1024
"""Queries at once: their similarities are held together."""
_DIGITS: Final = 6
"""What differs by less is float rounding, and goes by the order of the items."""


def unit_vectors(vectors: Sequence[Any], source: str) -> NDArray[np.float32]:
    """Vectors as rows of length 1; a vector of zeros stays so.

    :param source: what made them, for the message.
    :returns: (N, D), float32.
    :raises CannotStudy: if they differ in length, or hold NaN or infinities.
    """
    import numpy as np

    lengths = sorted({np.size(each) for each in vectors})
    if len(lengths) > 1:
        raise CannotStudy(
            f"{source} gives vectors of several lengths, {lengths[0]} to {lengths[-1]}"
        )
    rows = np.stack([np.ravel(each) for each in vectors]).astype(np.float32)
    if not np.isfinite(rows).all():
        raise CannotStudy(f"{source} gives vectors with NaN or infinities")
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    norms[norms == 0] = 1
    found: NDArray[np.float32] = rows / norms
    return found


def nearest_others(
    queries: NDArray[np.float32], items: NDArray[np.float32], count: int
) -> NDArray[np.intp]:
    """Of each query, the items with the greatest cosine; its own row is left out.

    >>> import numpy as np
    >>> rows = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
    >>> nearest_others(rows, rows, 1).tolist()
    [[1], [0], [1]]

    :param queries: (N, D), of length 1; ``items`` are as many, in the same order.
    :returns: (N, count), the nearest first.
    """
    import numpy as np

    found = np.empty((len(queries), count), np.intp)
    for start in range(0, len(queries), _BLOCK):
        block = queries[start : start + _BLOCK]
        similar = np.round(block @ items.T, _DIGITS)
        own = np.arange(len(block))
        similar[own, start + own] = -np.inf
        order = np.argsort(-similar, axis=1, kind="stable")
        found[start : start + _BLOCK] = order[:, :count]
    return found
