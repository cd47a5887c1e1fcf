"""Images that need no download: what a class looks like, anybody sees."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING, Final

from towhee.data.samples import Samples

if TYPE_CHECKING:
    from PIL import Image

_SIDE: Final = 224
_CLASSES: Final = 10
_STREAMS: Final = {"train": 0, "eval": 1}


def fake_images(stream: str, size: int) -> Samples:
    """Stripes of a colour of their own for each class, with noise; the same every time.

    >>> images = fake_images("train", 20)
    >>> image, label = images[3]
    >>> image.size, images.classes[label]
    ((224, 224), 'stripes 3')
    """
    labels = tuple(index % _CLASSES for index in range(size))
    return Samples(
        f"fake images, {stream}",
        _Stripes(_STREAMS[stream], size),
        tuple(f"stripes {number}" for number in range(_CLASSES)),
        labels=labels,
    )


class _Stripes:
    def __init__(self, stream: int, size: int) -> None:
        self._stream, self._size = stream, size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        import numpy as np
        from PIL import Image

        numbers = np.random.default_rng([self._stream, index])
        label = index % _CLASSES
        across = np.arange(_SIDE) / _SIDE
        phase, waves = numbers.random(2) * (1, 4) + (0, 2)
        wave = np.sin(2 * np.pi * (waves * across + phase))
        colour = np.array(colorsys.hsv_to_rgb(label / _CLASSES, 0.8, 0.9))
        pixels = 0.5 + 0.4 * wave[:, None, None] * (colour - 0.3)
        pixels = pixels + numbers.normal(0, 0.05, (_SIDE, _SIDE, 3))
        if label % 2:
            pixels = pixels.transpose(1, 0, 2)
        return Image.fromarray((pixels.clip(0, 1) * 255).astype(np.uint8)), label
