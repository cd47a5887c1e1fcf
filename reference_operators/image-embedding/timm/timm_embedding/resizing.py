"""A resize and a crop at the centre, of which only what the crop keeps is computed.

Pillow resizes in two passes, along the rows and then down the columns, and rounds to
whole grey levels after each. Here the passes are asked for one by one, and what the
crop does not need is left out of each: the same pixels, bit for bit.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from PIL import Image
from PIL.Image import Resampling
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# How many pixels each filter reaches to either side where nothing is made smaller.
_FILTERS: Final = {
    InterpolationMode.BILINEAR: (Resampling.BILINEAR, 1),
    InterpolationMode.BICUBIC: (Resampling.BICUBIC, 2),
}
# Pillow takes a box in single precision: 24 bits, of which ten may be a fraction's.
_FRACTIONS: Final = 1 << 10
_LARGEST: Final = 1 << 14
# As of Pillow 13, what is twice as tall as wide goes down the columns first.
_TALLEST: Final = 16 / 9


class ResizeAndCrop:
    """Both, as torchvision's steps of these names do them."""

    def __init__(self, resize: Resize, crop: CenterCrop) -> None:
        self._resize, self._crop = resize, crop
        self._filter, self._reach = _FILTERS[resize.interpolation]

    @classmethod
    def of(cls, steps: Sequence[Any]) -> ResizeAndCrop | None:
        """The two steps in one; None if they are others, or Pillow works otherwise."""
        match steps:
            case [Resize(size=int(), max_size=None) as resize, CenterCrop() as crop]:
                if resize.interpolation in _FILTERS and _is_exact():
                    return cls(resize, crop)
        return None

    def __call__(self, image: NDArray[np.uint8] | Image.Image) -> Image.Image:
        """The middle of the resized image, in RGB.

        :param image: RGB, uint8, (H, W, 3); or a Pillow image.
        """
        is_pillow = isinstance(image, Image.Image)
        width, height = image.size if is_pillow else image.shape[1::-1]
        side, short = self._resize.size, min(width, height)
        kept_height, kept_width = self._crop.size
        across = _Pass.of(width, side * width // short, kept_width, self._reach)
        down = _Pass.of(height, side * height // short, kept_height, self._reach)
        if across is None or down is None or height > _TALLEST * width:
            return self.whole(image)
        read = slice(down.first, down.last)
        part = as_pillow(
            image.crop((0, read.start, width, read.stop)) if is_pillow else image[read]
        )
        part = part.resize(
            (across.size, part.height),
            self._filter,
            (across.start, 0, across.stop, part.height),
        )
        part = part.crop((across.skip, 0, across.skip + kept_width, part.height))
        part = part.resize(
            (kept_width, down.size),
            self._filter,
            (0, down.start - down.first, kept_width, down.stop - down.first),
        )
        return part.crop((0, down.skip, kept_width, down.skip + kept_height))

    def whole(self, image: NDArray[np.uint8] | Image.Image) -> Image.Image:
        """The same, the long way."""
        return self._crop(self._resize(as_pillow(image)))


class _Pass(NamedTuple):
    """One pass: of the pixels ``start`` to ``stop`` it makes ``size``.

    It reads those from ``first`` to ``last``, and the crop begins at ``skip``.
    """

    start: float
    stop: float
    size: int
    first: int
    last: int
    skip: int

    @classmethod
    def of(cls, length: int, size: int, kept: int, reach: int) -> _Pass | None:
        """The pass that makes ``size`` pixels of ``length``, of which some are kept.

        It makes no others if Pillow can be told exactly where they are; None if there
        are not as many as are to be kept.
        """
        if size < kept or length > _LARGEST:
            return None
        # Which pixel a crop begins at is torchvision's to say; it rounds so.
        skip = round((size - kept) / 2)
        scale = length / size
        if not (scale * _FRACTIONS).is_integer():
            return cls(0, length, size, 0, length, skip)
        start, stop = skip * scale, (skip + kept) * scale
        margin = reach * max(scale, 1) + 1
        first, last = max(int(start - margin), 0), min(int(stop + margin) + 1, length)
        return cls(start, stop, kept, first, last, 0)


def as_pillow(image: NDArray[np.uint8] | Image.Image) -> Image.Image:
    """The same in three channels, as timm's transforms take it."""
    if isinstance(image, Image.Image):
        return image.convert("RGB")
    return Image.fromarray(image)


@cache
def _is_exact() -> bool:
    """Whether this Pillow's passes, one by one, give what it gives at once."""
    random = np.random.default_rng(0)
    shorter = ResizeAndCrop(Resize(16, InterpolationMode.BICUBIC), CenterCrop((14, 14)))
    return all(
        shorter(noise) == shorter.whole(noise)
        for size in ((64, 36), (40, 30), (32, 32), (30, 40), (36, 64))
        for noise in [random.integers(0, 256, (*size[::-1], 3), np.uint8)]
    )
