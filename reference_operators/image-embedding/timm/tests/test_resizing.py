"""What is resized is what the crop keeps; the pixels are Pillow's, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from timm_embedding import resizing
from timm_embedding.resizing import ResizeAndCrop
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

LENGTHS = st.integers(1, 400) | st.sampled_from([256, 320, 375, 480, 500, 640])
# Sides as timm's models have them, small ones, and a crop that is larger: it is padded.
SIDES = st.sampled_from([(256, 224), (235, 224), (224, 224), (64, 60), (8, 7), (9, 12)])
FILTERS = st.sampled_from([InterpolationMode.BILINEAR, InterpolationMode.BICUBIC])


@given(LENGTHS, LENGTHS, SIDES, FILTERS, st.booleans())
def test_a_part_is_what_it_would_be_of_the_whole(
    width: int,
    height: int,
    sides: tuple[int, int],
    interpolation: InterpolationMode,
    is_pillow: bool,
) -> None:
    height, width = min(height, 20 * width), min(width, 20 * height)
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    image = Image.fromarray(noise) if is_pillow else noise
    resize, crop = Resize(sides[0], interpolation), CenterCrop(sides[1])
    step = ResizeAndCrop.of([resize, crop])
    assert step is not None
    assert step(image) == crop(resize(Image.fromarray(noise)))


@pytest.mark.parametrize(
    ("size", "read", "made"),
    [
        # 256 of 480 is told exactly: 420 rows and a margin are read. 341 of 640 is not.
        ((640, 480), (640, 430), (341, 224)),
        ((512, 512), (512, 459), (224, 224)),
    ],
)
def test_what_the_crop_leaves_out_is_not_computed(
    size: tuple[int, int],
    read: tuple[int, int],
    made: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    usual = Image.Image.resize

    def resize(image: Image.Image, size: tuple[int, int], *rest: object) -> Image.Image:
        calls.append((image.size, size))
        return usual(image, size, *rest)

    step = ResizeAndCrop(Resize(256, InterpolationMode.BICUBIC), CenterCrop((224, 224)))
    monkeypatch.setattr(Image.Image, "resize", resize)
    assert step(np.zeros((*size[::-1], 3), np.uint8)).size == (224, 224)
    assert calls == [
        (read, (made[0], read[1])),
        ((224, read[1]), (224, made[1])),
    ]


def test_a_pillow_that_goes_another_way_is_left_to_do_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = [Resize(256, InterpolationMode.BICUBIC), CenterCrop(224)]
    monkeypatch.setattr(resizing, "_is_exact", lambda: False)
    assert ResizeAndCrop.of(steps) is None


def test_other_steps_stay() -> None:
    crop = CenterCrop(224)
    assert ResizeAndCrop.of([Resize(256, InterpolationMode.LANCZOS), crop]) is None
    assert ResizeAndCrop.of([Resize((256, 256)), crop]) is None
    assert ResizeAndCrop.of([Resize(256, max_size=300), crop]) is None
    assert ResizeAndCrop.of([crop]) is None
