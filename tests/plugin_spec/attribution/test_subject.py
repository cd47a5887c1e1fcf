"""A model of one's own is asked in the words that any other is asked in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from plugin_spec.attribution.subject import Subject


def prepared(image: object) -> torch.Tensor:
    assert isinstance(image, np.ndarray)
    assert (image.dtype, image.shape[2]) == (np.uint8, 3)
    return torch.as_tensor(image).permute(2, 0, 1).float() / 255


@pytest.fixture
def subject() -> Subject:
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, stride=4),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
    )
    return Subject(network, prepared, torch.nn.Linear(8, 2), ("cat", "dog"))


def picture(seed: int) -> Image.Image:
    chance = np.random.default_rng(seed)
    return Image.fromarray(chance.integers(0, 255, (64, 64, 4), np.uint8), "RGBA")


def test_a_target_is_an_image_of_any_kind_that_the_image_may_be(
    subject: Subject,
) -> None:
    one, other = picture(0), picture(1)
    found = subject.explain(one, other)
    pixels = [np.asarray(each.convert("RGB")) for each in (one, other)]
    assert (found.values == subject.explain(*pixels).values).all()


def test_a_class_is_a_number_of_any_kind(subject: Subject) -> None:
    found = subject.explain(picture(0), np.argmax([0.1, 0.9]))
    assert found.target == "class dog"
