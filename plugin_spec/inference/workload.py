"""What a backend is to compute, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch


TF32: Final = "tf32"
FLOATS: Final = ("float32", TF32)
"""Precisions with weights in float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A module from tensors to one tensor, with inputs that it can be tried on.

    :param module: in evaluation mode, its weights float32; the backend may change them.
    :param samples: inputs of several batch sizes, varied as real ones are.
    :param dynamic: for each input, the names of the dimensions whose length varies;
        those of one name are of one length.
    :param longest: the greatest length of a name, where the module has a limit.
    :param dtype: torch's name, or ``tf32``: float32 whose products a GPU rounds.
    :param autocast: keep the weights float32, and let torch choose where ``dtype`` is
        enough.
    """

    module: torch.nn.Module
    samples: Sequence[tuple[torch.Tensor, ...]]
    device: str
    dtype: str
    autocast: bool
    dynamic: Sequence[Mapping[int, str]]
    longest: Mapping[str, int]

    @property
    def precision(self) -> torch.dtype:
        """What products are computed in: torch's own name of ``dtype``."""
        import torch

        if self.dtype == TF32:
            return torch.float32
        found: torch.dtype = getattr(torch, self.dtype)
        return found

    @property
    def keeps_weights(self) -> bool:
        """Whether they stay float32."""
        return self.autocast or self.dtype in FLOATS

    @property
    def largest(self) -> tuple[torch.Tensor, ...]:
        """The sample with the most rows."""
        return max(self.samples, key=lambda sample: len(sample[0]))
