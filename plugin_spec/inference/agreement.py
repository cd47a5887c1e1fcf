"""How far two ways of computing the same vectors are apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plugin_spec.inference.errors import DegenerateSamples

if TYPE_CHECKING:
    from torch import Tensor

_ALIKE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Agreement:
    """The least cosine of any row to its reference.

    ``centred`` is the same after the references' mean is taken from both: vectors of
    one model share a direction, which hides differences from the plain cosine.
    """

    cosine: float
    centred: float

    def to_dict(self) -> dict[str, float]:
        """The figures as JSON values, with the digits that mean something."""
        return {"cosine": round(self.cosine, 6), "centred": round(self.centred, 4)}


def compare(vectors: Tensor, references: Tensor) -> Agreement:
    """Compare row by row.

    :param vectors: (N, D), or more dimensions, which are flattened.
    :raises DegenerateSamples: if the references are all alike, or not finite.

    >>> import torch
    >>> compare(torch.eye(3), torch.eye(3))
    Agreement(cosine=1.0, centred=1.0)
    >>> compare(torch.eye(3), torch.ones(3, 3))
    Traceback (most recent call last):
    plugin_spec.inference.errors.DegenerateSamples: All sample inputs give one vector
    """
    found, expected = (each.flatten(1).double().cpu() for each in (vectors, references))
    if not expected.isfinite().all():
        raise DegenerateSamples("Eager float32 gives no finite numbers")
    mean = expected.mean(0)
    if (expected - mean).norm() <= _ALIKE * expected.norm():
        raise DegenerateSamples("All sample inputs give one vector")
    return Agreement(
        _least_cosine(found, expected), _least_cosine(found - mean, expected - mean)
    )


def _least_cosine(found: Tensor, expected: Tensor) -> float:
    lengths = found.norm(dim=1) * expected.norm(dim=1)
    cosines = (found * expected).sum(1) / lengths.clamp_min(1e-300)
    # What is not a number agrees with nothing.
    return float(cosines.nan_to_num(-1.0).clamp(-1.0, 1.0).min())
