"""A batch unlike the training is warned of once, by statistics that were measured."""

from __future__ import annotations

import json
import math
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest

from plugin_spec.domain import (
    Domain,
    DomainWatch,
    FarFromTraining,
    InvalidDomain,
    image_statistics,
)
from towhee.callable_pipeline import pipeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

WATCHED = """
import numpy as np
from plugin_spec.domain import Domain, DomainWatch

class Subject(ModelOperator):
    def __init__(self, watched=False):
        if watched:
            spread = {"mean of channel 0": 0.5}
            self.watch = DomainWatch(Domain(9, {"mean of channel 0": 0.0}, spread), "it")

    def prepare(self, level):
        return np.full((1, 2, 2), level, np.float32)

    def predict(self, batch):
        return [each.reshape(-1) for each in batch]
"""


def images(level: float, count: int = 50) -> list[dict[str, float]]:
    """Statistics of noise about a level, with a vector of length 1."""
    chance = np.random.default_rng(0)
    found = []
    for _ in range(count):
        pixels = chance.normal(level + chance.normal(), 1, (3, 8, 8))
        vector = chance.normal(size=16)
        found.append(image_statistics(pixels, vector / np.linalg.norm(vector)))
    return found


def test_statistics_are_those_of_channels_and_of_the_vector() -> None:
    pixels: NDArray[np.float32] = np.zeros((3, 2, 2), np.float32)
    pixels[1] = [[1, 3], [1, 3]]
    assert image_statistics(pixels, [3.0, 4.0]) == {
        "mean of channel 0": 0,
        "deviation of channel 0": 0,
        "mean of channel 1": 2,
        "deviation of channel 1": 1,
        "mean of channel 2": 0,
        "deviation of channel 2": 0,
        "length of the vector": 5,
        "mean of the vector": 3.5,
    }
    assert set(image_statistics("a text", [3.0])) == {
        "length of the vector",
        "mean of the vector",
    }


def test_images_like_those_of_the_training_are_near_and_others_far() -> None:
    domain = Domain.of(images(0))
    assert max(domain.distances(images(0, 8)).values()) < 1.5
    far = domain.distances(images(9, 8))
    assert far["mean of channel 0"] == pytest.approx(9, abs=3)
    assert "length of the vector" not in far, "all of them have length 1"


def test_it_warns_once_and_says_what_is_far() -> None:
    domain = Domain(9, {"mean of channel 0": 0.0}, {"mean of channel 0": 0.5})
    watch = DomainWatch(domain, "tiny")
    near, far = np.zeros((1, 2, 2)), np.full((1, 2, 2), 2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watch.see([near], [[1.0]])
        # The batch as a whole counts, and this one lies at two deviations.
        watch.see([near, far], [[1.0], [1.0]])
    message = (
        "These images look far from those that `tiny` was trained on, "
        "in standard deviations of one: mean of channel 0 4.0"
    )
    with pytest.warns(FarFromTraining, match=f"^{message}$"):
        watch.see([far], [[1.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watch.see([far], [[1.0]])


def test_in_another_space_only_pixels_are_compared() -> None:
    domain = Domain.of(images(0), space="a")
    assert domain.within("a") is domain
    assert set(domain.within("b").means) == {
        f"{what} of channel {number}"
        for what in ("mean", "deviation")
        for number in range(3)
    }


def test_it_reads_back_and_nothing_else_does() -> None:
    domain = Domain.of(images(0), space="a")
    assert Domain.from_dict(json.loads(json.dumps(domain.to_dict()))) == domain
    for wrong in (
        None,
        {},
        {"means": {"a": "b"}, "deviations": {}},
        {"means": {"a": 10**400}, "deviations": {"a": 1}},
        {"means": {"a": math.nan}, "deviations": {"a": 1}},
        {"means": {"a": math.inf}, "deviations": {"a": 1}},
    ):
        with pytest.raises(InvalidDomain, match="does not read"):
            Domain.from_dict(wrong)
    with pytest.raises(InvalidDomain, match="other statistics"):
        Domain.from_dict({"means": {"a": 1}, "deviations": {}})
    with pytest.raises(InvalidDomain, match="Two images at least"):
        Domain.of(images(0, 1))


def test_an_operator_that_is_asked_to_watches_every_call(
    publish: Callable[..., Path],
) -> None:
    options = {"watched": {"type": "boolean"}}
    publish(WATCHED, name="test/watched", parameters=options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline("test/watched")([9.0, 9.0])
        watched = pipeline("test/watched", watched=True)
        watched(0.0)
    with pytest.warns(FarFromTraining, match="mean of channel 0 18.0"):
        watched([9.0, 9.0])
