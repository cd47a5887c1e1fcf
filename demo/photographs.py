"""Real photographs that ordinary libraries ship, and pieces of them.

scikit-image's docstrings give the licences: CC0, public domain, or no known
restrictions; pictures of which they say nothing are not used. china.jpg is
scikit-learn's: CC BY 2.0, danielbuechele on Flickr.
"""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import skimage.data
from PIL import Image, ImageEnhance, ImageOps
from sklearn.datasets import load_sample_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HELD_OUT: Final = (
    "brick",
    "chelsea",
    "china",
    "clock",
    "coffee",
    "coins",
    "hubble_deep_field",
    "rocket",
)
"""The shipped weights have never seen these; the demo searches them."""

TRAINING: Final = (
    "astronaut",
    "camera",
    "cell",
    "grass",
    "gravel",
    "immunohistochemistry",
    "retina",
    "text",
)

EVERYTHING: Final = tuple(sorted((*TRAINING, *HELD_OUT)))

_LARGEST: Final = 512
_SCIKIT_LEARN: Final = ("china",)


@dataclass(frozen=True, slots=True)
class Piece:
    """A crop of a photograph, changed or not; equal photographs are the answer."""

    photograph: str
    image: Image.Image


def load(name: str) -> Image.Image:
    """One photograph, RGB, its longer side 512 at most."""
    pixels = (
        load_sample_image(f"{name}.jpg")
        if name in _SCIKIT_LEARN
        else getattr(skimage.data, name)()
    )
    photograph = Image.fromarray(pixels).convert("RGB")
    photograph.thumbnail((_LARGEST, _LARGEST), Image.Resampling.BICUBIC)
    return photograph


def crop(photograph: Image.Image, chance: random.Random) -> Image.Image:
    """A piece of 35 to 65 per cent of each side."""
    share = chance.uniform(0.35, 0.65)
    width, height = (int(side * share) for side in photograph.size)
    left = chance.randint(0, photograph.width - width)
    top = chance.randint(0, photograph.height - height)
    return photograph.crop((left, top, left + width, top + height))


def change(image: Image.Image, chance: random.Random) -> Image.Image:
    """Mirror it perhaps, change its light, colour and size, save it as a poor JPEG."""
    if chance.random() < 0.5:
        image = ImageOps.mirror(image)
    for enhance, low, high in (
        (ImageEnhance.Brightness, 0.6, 1.5),
        (ImageEnhance.Contrast, 0.7, 1.3),
        (ImageEnhance.Color, 0.6, 1.4),
    ):
        image = enhance(image).enhance(chance.uniform(low, high))
    scale = chance.uniform(0.5, 1)
    size = (max(32, int(image.width * scale)), max(32, int(image.height * scale)))
    encoded = io.BytesIO()
    image.resize(size, Image.Resampling.BICUBIC).save(encoded, "JPEG", quality=30)
    return Image.open(encoded).convert("RGB")


def dataset(names: Sequence[str], *, each: int, seed: int) -> Iterator[Piece]:
    """``each`` crops of every photograph, as they are."""
    chance = random.Random(seed)
    for name in names:
        photograph = load(name)
        for _ in range(each):
            yield Piece(name, crop(photograph, chance))


def queries(names: Sequence[str], *, each: int, seed: int) -> Iterator[Piece]:
    """``each`` other crops of every photograph, changed."""
    chance = random.Random(seed)
    for name in names:
        photograph = load(name)
        for _ in range(each):
            yield Piece(name, change(crop(photograph, chance), chance))
