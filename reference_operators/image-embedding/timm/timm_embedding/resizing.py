"""A resize and a crop at the centre, of which only what the crop keeps is computed.

Pillow resizes in two passes, along the rows and then down the columns; each pixel is a
weighted sum of those under a filter, in fixed point, rounded to a whole grey level. The
same is computed here, from the same weights, bit for bit, three times as fast: a pass
down the columns takes whole rows at once, and one along the rows is that of the image
turned over.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np
from PIL import Image
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

from .pixel_loops import PRECISION, turned, weighed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

# As of Pillow 13, what loses twice as many rows as columns goes down them first.
_MORE_ROWS: Final = 2
_SIZES_KEPT: Final = 256


class ResizeAndCrop:
    """Both, as torchvision's steps of these names do them with a Pillow image."""

    def __init__(self, resize: Resize, crop: CenterCrop) -> None:
        self._resize, self._crop = resize, crop

    @classmethod
    def of(cls, steps: Sequence[Any]) -> ResizeAndCrop | None:
        """The two steps in one; None if they are others, or Pillow works otherwise."""
        match steps:
            case [
                Resize(size=int() | (int(), int()), max_size=None) as resize,
                CenterCrop() as crop,
            ]:
                if resize.interpolation in _FILTERS and _is_exact():
                    return cls(resize, crop)
        return None

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The middle of the resized image, RGB, (H, W, 3).

        :param image: RGB, (H, W, 3), its pixels one after the other in each row.
        """
        height, width = image.shape[:2]
        new_height, new_width = self._resized(height, width)
        kept_height, kept_width = self._crop.size
        filter_ = self._resize.interpolation
        across = _pass(width, new_width, kept_width, filter_)
        down = _pass(height, new_height, kept_height, filter_)
        fewer_rows, fewer_columns = height - new_height, width - new_width
        if fewer_rows > max(0, _MORE_ROWS * fewer_columns):
            return self.whole(image)
        if across is None or down is None:
            return self.whole(image)
        part = image[down.start : down.stop, across.start : across.stop]
        wide = turned(weighed(turned(part), across.first, across.weights))
        return weighed(wide, down.first, down.weights)

    def _resized(self, height: int, width: int) -> tuple[int, int]:
        """The size before the crop: both sides, or one for the shorter."""
        side = self._resize.size
        if isinstance(side, int):
            short = min(height, width)
            return side * height // short, side * width // short
        height, width = side
        return height, width

    def whole(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The same, Pillow's way."""
        found: NDArray[np.uint8]
        found = np.asarray(self._crop(self._resize(Image.fromarray(image))))
        return found


class _Pass(NamedTuple):
    """One pass: of the pixels from ``start`` to ``stop`` it makes those that are kept.

    ``first`` counts from ``start``; ``weighed`` says what it and ``weights`` are.
    """

    start: int
    stop: int
    first: NDArray[np.int64]
    weights: NDArray[np.int32]


@lru_cache(_SIZES_KEPT)
def _pass(
    length: int, size: int, kept: int, interpolation: InterpolationMode
) -> _Pass | None:
    """The pass that makes ``size`` pixels of ``length``, of which some are kept.

    None if there are not as many as are to be kept.
    """
    if size < kept:
        return None
    weigh, reach = _FILTERS[interpolation]
    # Which pixel a crop begins at is torchvision's to say; it rounds so.
    skip = round((size - kept) / 2)
    scale = length / size
    stretch = max(scale, 1.0)
    reach *= stretch
    centres = (np.arange(skip, skip + kept) + 0.5) * scale
    # Both are cut off, not rounded down: what is negative is 0 in any case.
    firsts = np.maximum((centres - reach + 0.5).astype(np.int64), 0)
    lasts = np.minimum((centres + reach + 0.5).astype(np.int64), length)
    taps = int((lasts - firsts).max())
    # All sums have as many terms; those that others need weigh nothing here.
    begins = np.minimum(firsts, length - taps)
    places = begins[:, np.newaxis] + np.arange(taps)
    weights = weigh(np.abs((places - centres[:, np.newaxis] + 0.5) * (1.0 / stretch)))
    outside = (places < firsts[:, np.newaxis]) | (places >= lasts[:, np.newaxis])
    weights[outside] = 0.0
    # One after the other, as Pillow adds them.
    weights /= np.cumsum(weights, axis=1)[:, -1:]
    weights *= 1 << PRECISION
    fixed = np.trunc(weights + np.where(weights < 0, -0.5, 0.5)).astype(np.int32)
    start = int(begins[0])
    return _Pass(start, int(begins[-1]) + taps, begins - start, fixed)


def _triangle(distances: Floats) -> Floats:
    return np.maximum(1.0 - distances, 0.0)


def _cubic(distances: Floats) -> Floats:
    """The cubic convolution of Keys, its parameter -1/2."""
    near = (1.5 * distances - 2.5) * distances * distances + 1.0
    far = (((distances - 5.0) * distances + 8.0) * distances - 4.0) * -0.5
    return np.where(distances < 1, near, np.where(distances < 2, far, 0.0))  # noqa: PLR2004


_FILTERS: Final[dict[InterpolationMode, tuple[Callable[[Floats], Floats], float]]] = {
    InterpolationMode.BILINEAR: (_triangle, 1.0),
    InterpolationMode.BICUBIC: (_cubic, 2.0),
}
"""Weights by the distance to a pixel's centre, and how far they reach."""


@cache
def _is_exact() -> bool:
    """Whether this Pillow gives what is computed here."""
    random = np.random.default_rng(0)
    steps = ResizeAndCrop(Resize(16, InterpolationMode.BICUBIC), CenterCrop((14, 14)))
    return all(
        np.array_equal(steps(noise), steps.whole(noise))
        for size in ((64, 36), (40, 30), (32, 32), (30, 40), (36, 64))
        for noise in [random.integers(0, 256, (*size[::-1], 3), np.uint8)]
    )
