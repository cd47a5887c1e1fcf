"""What images looked like in training, in a few numbers, and batches far from that."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FAR: Final = 3.0
"""Standard deviations of a training image."""
_LEAST: Final = 2
"""Images that have a spread."""
_CONSTANT: Final = 1e-6
"""A spread below this part of the mean is rounding: vectors of length 1."""
_CHANNELS: Final = 3
_VECTOR: Final = ("length of the vector", "mean of the vector")


class InvalidDomain(HubError, ValueError):
    """What says how images looked in training does not read, or is not there."""


class FarFromTraining(UserWarning):
    """A batch looks otherwise than what a model was trained on."""


@dataclass(frozen=True, slots=True)
class Domain:
    """Of each statistic of an image, mean and standard deviation over many images.

    An image has two for each channel of its prepared pixels, their mean and standard
    deviation, and two of its vector: its length, and the mean of its numbers.

    >>> domain = Domain(9, {"length of the vector": 4.0}, {"length of the vector": 0.5})
    >>> domain.distances([{"length of the vector": 7.0}, {"length of the vector": 6.0}])
    {'length of the vector': 5.0}
    """

    images: int
    means: Mapping[str, float]
    deviations: Mapping[str, float]
    space: str | None = None
    """The fingerprint of the vectors' space, outside which theirs mean nothing."""

    @classmethod
    def of(
        cls, statistics: Sequence[Mapping[str, float]], *, space: str | None = None
    ) -> Self:
        """Take what ``image_statistics`` gave for each of many images.

        :raises InvalidDomain: for fewer than two.
        """
        if len(statistics) < _LEAST:
            raise InvalidDomain("Two images at least have a spread")
        columns = {
            name: [each[name] for each in statistics]
            for name in statistics[0]
            if all(name in each for each in statistics)
        }
        means = {name: _mean(values) for name, values in columns.items()}
        deviations = {
            name: math.sqrt(_mean((each - means[name]) ** 2 for each in values))
            for name, values in columns.items()
        }
        return cls(len(statistics), means, deviations, space)

    def distances(self, batch: Sequence[Mapping[str, float]]) -> dict[str, float]:
        """How far a batch's mean lies, in standard deviations of a training image.

        What does not vary in training is left out.
        """
        found = {}
        for name, deviation in self.deviations.items():
            values = [each[name] for each in batch if name in each]
            if values and deviation > _CONSTANT * max(1.0, abs(self.means[name])):
                found[name] = abs(_mean(values) - self.means[name]) / deviation
        return found

    def within(self, space: str | None) -> Self:
        """The same for vectors of a space: of another, only pixels are compared."""
        if space == self.space:
            return self
        kept = {key: self.means[key] for key in self.means if key not in _VECTOR}
        spread = {key: self.deviations[key] for key in kept}
        return type(self)(self.images, kept, spread, space)

    def to_dict(self) -> dict[str, Any]:
        """JSON values, which ``from_dict`` reads."""
        return {
            "images": self.images,
            "means": dict(self.means),
            "deviations": dict(self.deviations),
            "space": self.space,
        }

    @classmethod
    def from_dict(cls, document: object) -> Self:
        """Read what ``to_dict`` gave.

        :raises InvalidDomain: if it is something else.
        """
        if not isinstance(document, Mapping) or not all(
            map(_are_numbers, map(document.get, ("means", "deviations")))
        ):
            raise InvalidDomain("What says how images looked in training does not read")
        means, deviations = document["means"], document["deviations"]
        if means.keys() != deviations.keys():
            raise InvalidDomain("Means and deviations are of other statistics")
        images, space = document.get("images"), document.get("space")
        return cls(
            images if isinstance(images, int) else 0,
            dict(means),
            dict(deviations),
            space if isinstance(space, str) else None,
        )


@dataclass(slots=True)
class DomainWatch:
    """Warns, once, when a batch lies further than ``FAR`` in any statistic."""

    domain: Domain
    model: str
    has_warned: bool = False

    def see(self, prepared: Sequence[Any], vectors: Sequence[Any]) -> None:
        """Look at what a model took and gave."""
        if self.has_warned:
            return
        pairs = zip(prepared, vectors, strict=True)
        distances = self.domain.distances([image_statistics(*each) for each in pairs])
        far = {name: each for name, each in distances.items() if not each <= FAR}
        if not far:
            return
        self.has_warned = True
        listed = ", ".join(f"{name} {each:.1f}" for name, each in far.items())
        warnings.warn(
            f"These images look far from those that `{self.model}` was trained on, "
            f"in standard deviations of one: {listed}",
            FarFromTraining,
            stacklevel=3,
        )


def image_statistics(prepared: Any, vector: Any) -> dict[str, float]:  # noqa: ANN401
    """Of one image.

    :param prepared: (channels, height, width), as the model takes it; anything else has
        no statistics of pixels.
    :param vector: as the model gives it.
    """
    import numpy as np

    found = {}
    pixels = np.asarray(prepared) if hasattr(prepared, "shape") else np.empty(0)
    if pixels.ndim == _CHANNELS:
        for number, channel in enumerate(pixels.reshape(len(pixels), -1)):
            found[f"mean of channel {number}"] = float(channel.mean())
            found[f"deviation of channel {number}"] = float(channel.std())
    row = np.asarray(vector, np.float64)
    values = float(np.linalg.norm(row)), float(row.mean())
    return {**found, **dict(zip(_VECTOR, values, strict=True))}


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return math.fsum(listed) / len(listed)


def _are_numbers(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(each, int | float) and abs(each) <= sys.float_info.max
        for each in value.values()
    )
