"""Figures that are added up over batches, on the device until one asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from towhee.trainer.trainee_module import Outputs


def widest(device: torch.device) -> torch.dtype:
    """What sums over an epoch are kept in: Apple's GPUs know no float64.

    >>> import torch
    >>> [widest(torch.device(name)) for name in ("cpu", "mps")]
    [torch.float64, torch.float32]
    """
    import torch

    return torch.float32 if device.type == "mps" else torch.float64


class Meter(Protocol):
    """A figure over the batches that it was shown."""

    def update(self, outputs: Outputs, labels: Tensor) -> None:
        """Take one batch."""

    def value(self) -> float:
        """The figure so far; nan before the first batch."""

    def figures(self) -> dict[str, float]:
        """Whatever else is known of an evaluation, by name."""


class Counted(Meter, Protocol):
    """One that goes on from a checkpoint, and is added up over processes."""

    def state(self) -> list[float]:
        """What a checkpoint keeps of it; of several processes, it is added up."""

    def restore(self, state: list[float]) -> None:
        """Go on from there."""


class Average:
    """A mean over images.

    >>> loss = Average()
    >>> loss.add(2.0, 1), loss.add(1.0 * 3, 3)
    (None, None)
    >>> loss.value()
    1.25
    """

    def __init__(self) -> None:
        self._total: Tensor | float = 0.0
        self._count = 0

    def add(self, total: Tensor | float, count: int) -> None:
        """Take the sum over so many."""
        self._total = self._total + total
        self._count += count

    def value(self) -> float:
        """The mean so far; nan before the first."""
        return float(self._total) / self._count if self._count else float("nan")

    def figures(self) -> dict[str, float]:
        """Nothing else."""
        return {}

    def state(self) -> list[float]:
        """What a checkpoint keeps of it."""
        return [float(self._total), self._count]

    def restore(self, state: list[float]) -> None:
        """Go on from there."""
        self._total, self._count = state[0], int(state[1])


class Accuracy(Average):
    """The share of images whose greatest logit is that of their class."""

    def update(self, outputs: Outputs, labels: Tensor) -> None:
        """Take one batch."""
        assert outputs.logits is not None
        right = outputs.logits.detach().argmax(dim=1) == labels
        self.add(right.sum(), len(labels))
