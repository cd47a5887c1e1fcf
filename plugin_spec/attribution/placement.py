"""Where in an image that was resized and cropped the model looked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    Floats = NDArray[np.floating[Any]]

_SURE: Final = 0.999
"""How white the ramp's last channel has to be: what is padded is not."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a model saw of an image, in pixels of it; more, where it was padded."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def by(cls, prepare: Callable[[Any], Tensor], width: int, height: int) -> Self:
        """Measure it, with an image whose colours are coordinates.

        So no step of the preparation has to be known: resizing, cropping and padding
        show in what it makes of that image. Exact to about 1/500 of a side.

        :param prepare: an image, (H, W, 3) of uint8, to (3, h, w), each channel scaled
            and shifted as it may be.
        """
        import numpy as np

        black, white = (
            prepare(np.full((64, 64, 3), level, np.uint8)).numpy() for level in (0, 255)
        )
        low, high = (each.mean(axis=(1, 2), keepdims=True) for each in (black, white))
        across, down, sure = (prepare(_ramp(width, height)).numpy() - low) / (
            high - low
        )
        inside = sure > _SURE
        left, right = _ends(across, inside)
        top, bottom = _ends(down.T, inside.T)
        return cls(left * width, top * height, right * width, bottom * height)

    def place(self, found: Floats, width: int, height: int) -> NDArray[np.float32]:
        """Lay what was found for each place, (h, w), on the image: (H, W).

        Between places it is interpolated; what the model did not see is 0.

        >>> import numpy as np
        >>> Seen(1, 0, 3, 2).place(np.array([[1, 2], [3, 4]]), 4, 2).tolist()
        [[0.0, 1.0, 2.0, 0.0], [0.0, 3.0, 4.0, 0.0]]
        """
        import numpy as np

        wide = _along(found, self.left, self.right, width)
        placed = _along(wide.T, self.top, self.bottom, height).T
        return np.ascontiguousarray(placed, dtype=np.float32)


def _ramp(width: int, height: int) -> NDArray[np.uint8]:
    """Red grows to the right, green downwards, and blue is full."""
    import numpy as np

    ramp = np.full((height, width, 3), 255, np.uint8)
    ramp[..., 0] = np.rint((np.arange(width) + 0.5) / width * 255)
    ramp[..., 1] = np.rint((np.arange(height) + 0.5) / height * 255)[:, None]
    return ramp


def _ends(coordinates: Floats, inside: NDArray[np.bool_]) -> tuple[float, float]:
    """Where the first column begins and the last one ends, as shares of the image.

    :param coordinates: of each pixel along its row.
    """
    import numpy as np

    columns = np.flatnonzero(inside.any(axis=0))
    # Beside an edge, pixels that are not there were averaged in.
    trim = len(columns) // 8
    columns = columns[trim : len(columns) - trim]
    values = np.nanmean(np.where(inside, coordinates, np.nan)[:, columns], axis=0)
    slope, start = np.polyfit(columns + 0.5, values, 1)
    return float(start), float(start + slope * coordinates.shape[1])


def _along(rows: Floats, start: float, end: float, length: int) -> Floats:
    """Each row, which lies from ``start`` to ``end``, at ``length`` pixels."""
    import numpy as np

    count = rows.shape[1]
    share = (np.arange(length) + 0.5 - start) / (end - start)
    places = share * count - 0.5
    found = np.stack([np.interp(places, np.arange(count), row) for row in rows])
    found[:, (share < 0) | (share > 1)] = 0
    return found
