"""A map lies on the image as it was given, whatever the preparation did."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from timm.data import create_transform

from plugin_spec.attribution.placement import Seen

CONDITIONS = {"input_size": (3, 96, 96), "interpolation": "bicubic"}


def seen(width: int, height: int, **conditions: object) -> Seen:
    transform = create_transform(**{**CONDITIONS, **conditions}, is_training=False)
    return Seen.by(lambda image: transform(Image.fromarray(image)), width, height)


@pytest.mark.parametrize(
    ("size", "conditions", "expected"),
    [
        # The short side is resized to 96 and 120 pixels; 96 of them are seen.
        ((600, 400), {"crop_pct": 1.0}, (100, 0, 500, 400)),
        ((400, 600), {"crop_pct": 0.8}, (40, 140, 360, 460)),
        ((50, 40), {"crop_pct": 1.0}, (5, 0, 45, 40)),
        ((600, 400), {"crop_pct": 0.8, "crop_mode": "squash"}, (60, 40, 540, 360)),
        # The long side is seen whole, and the short one is padded.
        ((600, 400), {"crop_pct": 1.0, "crop_mode": "border"}, (0, -100, 600, 500)),
    ],
    ids=str,
)
def test_what_was_seen_is_found_within_half_a_percent(
    size: tuple[int, int],
    conditions: dict[str, object],
    expected: tuple[float, float, float, float],
) -> None:
    found = seen(*size, **conditions)
    sides = (found.left, found.top, found.right, found.bottom)
    assert np.abs(np.subtract(sides, expected)).max() < 0.005 * max(size)


def test_a_spot_lies_where_it_was_in_the_image() -> None:
    image = np.zeros((400, 600, 3), np.uint8)
    image[90:130, 300:340] = 255
    transform = create_transform(**CONDITIONS, crop_pct=0.875, is_training=False)
    prepared = transform(Image.fromarray(image))
    bright = prepared.mean(dim=0).numpy()
    placed = seen(600, 400, crop_pct=0.875).place(bright - bright.min(), 600, 400)
    rows, columns = np.nonzero(placed > placed.max() / 2)
    assert placed.shape == (400, 600)
    assert placed.dtype == np.float32
    assert abs(rows.mean() - 109.5) < 2
    assert abs(columns.mean() - 319.5) < 2


def test_what_was_cropped_away_is_zero() -> None:
    placed = seen(600, 400, crop_pct=1.0).place(np.ones((3, 3)), 600, 400)
    assert not placed[:, :99].any()
    assert placed[:, 102:498].all()
    assert not placed[:, 501:].any()
