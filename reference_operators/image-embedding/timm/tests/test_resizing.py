"""What is resized is what the crop keeps; the pixels are Pillow's, bit for bit."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from timm_embedding import pixel_loops, resizing
from timm_embedding.errors import InvalidImage
from timm_embedding.preparing import pixels_of
from timm_embedding.resizing import ResizeAndCrop
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

LENGTHS = st.integers(1, 400) | st.sampled_from([256, 320, 375, 480, 500, 640])
# Sides as timm's models have them, small ones, and a crop that is larger: it is padded.
SIDES = st.sampled_from(
    [(256, 224), (235, 224), (224, 224), (64, 60), (8, 7), (9, 12), ((70, 90), 64)]
)
FILTERS = st.sampled_from([InterpolationMode.BILINEAR, InterpolationMode.BICUBIC])


@given(LENGTHS, LENGTHS, SIDES, FILTERS)
def test_a_part_is_what_it_would_be_of_the_whole(
    width: int,
    height: int,
    sides: tuple[int | tuple[int, int], int],
    interpolation: InterpolationMode,
) -> None:
    height, width = min(height, 20 * width), min(width, 20 * height)
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    resize, crop = Resize(sides[0], interpolation), CenterCrop(sides[1])
    step = ResizeAndCrop.of([resize, crop])
    assert step is not None
    expected = np.asarray(crop(resize(Image.fromarray(noise))))
    np.testing.assert_array_equal(step(noise), expected)


@pytest.mark.parametrize(
    ("size", "read"),
    # 256 x 341 pixels are made of the first, of which 224 x 224 are kept.
    [((640, 480), (427, 426)), ((512, 512), (454, 454)), ((224, 224), (200, 200))],
)
def test_what_the_crop_leaves_out_is_not_computed(
    size: tuple[int, int], read: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = []

    def turn(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        turned.append(image.shape)
        return pixel_loops.turned(image)

    step = ResizeAndCrop(Resize(256, InterpolationMode.BICUBIC), CenterCrop((224, 224)))
    monkeypatch.setattr(resizing, "turned", turn)
    assert step(np.zeros((*size[::-1], 3), np.uint8)).shape == (224, 224, 3)
    assert turned == [(*read[::-1], 3), (224, read[1], 3)]


VIEWS = [
    lambda image: image[::-1],
    lambda image: image[:, ::-1],
    lambda image: image[5:, 7:],
    lambda image: image[:, :, ::-1],
    lambda image: image.transpose(1, 0, 2),
    np.asfortranarray,
    Image.fromarray,
]


@pytest.mark.parametrize("view", VIEWS)
def test_an_image_may_lie_in_memory_as_it_likes(
    view: Callable[[NDArray[np.uint8]], NDArray[np.uint8] | Image.Image],
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)
    noise.flags.writeable = False
    image = view(noise)
    step = ResizeAndCrop(Resize(40, InterpolationMode.BICUBIC), CenterCrop((32, 32)))
    expected = step.whole(np.array(image))
    np.testing.assert_array_equal(step(pixels_of(image)), expected)


class Thumbnail(np.ndarray[tuple[int, ...], np.dtype[np.uint8]]):
    """An array that has one pixel under every index."""

    def __getitem__(self, index: object) -> Any:  # noqa: ANN401  (numpy's)
        return np.asarray(self)[:1, :1]


class Stored:
    """An array elsewhere, as h5py and zarr have them."""

    dtype, shape = np.dtype(np.uint8), (70, 90, 3)

    def __array__(self, dtype: object = None, *, copy: object = None) -> Any:  # noqa: ANN401
        return np.full(self.shape, 7, np.uint8)


def test_a_subclass_with_indices_of_its_own_is_taken_as_its_pixels() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (70, 90, 3), np.uint8)
    step = ResizeAndCrop(Resize(40, InterpolationMode.BICUBIC), CenterCrop((32, 32)))
    found = step(pixels_of(noise.view(Thumbnail)))
    np.testing.assert_array_equal(found, step.whole(noise))


def test_an_array_that_is_stored_elsewhere_is_read() -> None:
    image: Any = Stored()
    np.testing.assert_array_equal(pixels_of(image), np.full((70, 90, 3), 7, np.uint8))


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (Image.new("RGB", (0, 8)), r"uint8 of shape \(8, 0, 3\)"),
        (Image.new("L", (8, 0)), r"uint8 of shape \(0, 8, 3\)"),
        (np.zeros((0, 8, 3), np.uint8), r"uint8 of shape \(0, 8, 3\)"),
        (np.zeros((8, 8), np.uint8), r"uint8 of shape \(8, 8\)"),
        (np.zeros((8, 8, 4), np.uint8), r"uint8 of shape \(8, 8, 4\)"),
        (np.zeros((8, 8, 3), np.float32), r"float32 of shape \(8, 8, 3\)"),
        (torch.zeros((8, 8, 3), dtype=torch.uint8), r"torch.uint8 of shape"),
        ([[[0, 0, 0]]], r"list of shape \(1, 1, 3\)"),
        ("photo.jpg", r"str of shape \(\)"),
    ],
)
def test_what_is_no_image_is_named(
    image: NDArray[np.uint8] | Image.Image, found: str
) -> None:
    with pytest.raises(InvalidImage, match=f"uint8, .H, W, 3., got {found}"):
        pixels_of(image)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux to refuse")
def test_a_process_that_may_not_make_code_is_told() -> None:
    # PR_SET_MDWE, of Linux 6.3.
    program = f"""
import ctypes, runpy
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0): raise SystemExit(77)
runpy.run_path({pixel_loops.__file__!r})
"""
    found = subprocess.run(  # noqa: S603  (a program of this test)
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    if found.returncode == 77:
        pytest.skip("this Linux cannot refuse")
    assert "Error: [Errno 13] This process may not make code, by which" in found.stderr


def test_a_pillow_that_goes_another_way_is_left_to_do_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = [Resize(256, InterpolationMode.BICUBIC), CenterCrop(224)]
    monkeypatch.setattr(resizing, "_is_exact", lambda: False)
    assert ResizeAndCrop.of(steps) is None


def test_other_steps_stay() -> None:
    crop = CenterCrop(224)
    assert ResizeAndCrop.of([Resize(256, InterpolationMode.LANCZOS), crop]) is None
    assert ResizeAndCrop.of([Resize([256]), crop]) is None
    assert ResizeAndCrop.of([Resize(256, max_size=300), crop]) is None
    assert ResizeAndCrop.of([crop]) is None
