"""A training as it goes on: where it is, and how well it did so far."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plugin_spec import Trainee
    from towhee.trainer.training_config import TrainingConfig


def is_better(value: float, than: float | None, *, mode: str) -> bool:
    """Whether a figure is better than the best before; ``than`` is None at first.

    >>> is_better(0.5, 0.7, mode="min"), is_better(0.5, None, mode="max")
    (True, True)

    What is no number is never better, so that a training that diverges keeps what it
    had.
    """
    if math.isnan(value):
        return False
    return than is None or (value < than if mode == "min" else value > than)


@dataclass(frozen=True, slots=True)
class Best:
    """The best evaluation so far, and the file of its weights, if they are kept."""

    monitor: str
    value: float
    epoch: int
    step: int
    weights: str | None = None


@dataclass(slots=True)
class Run:
    """What callbacks are shown.

    :param trainee: what is trained; its network lies on the device.
    :param steps_per_epoch: of the optimizer.
    """

    config: TrainingConfig
    trainee: Trainee
    steps_per_epoch: int
    epoch: int = 0
    """How many epochs are whole."""
    step: int = 0
    """How many steps the optimizer took."""
    batch: int = 0
    """How many batches of this epoch went through the model."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """A mapping for each epoch, and for each evaluation between them, in order."""
    best: Best | None = None
    stop_reason: str | None = None

    @property
    def steps(self) -> int:
        """How many steps there will be, unless something stops it."""
        return self.steps_per_epoch * self.config.epoch_num

    @property
    def latest(self) -> dict[str, Any]:
        """What was measured last; empty before that."""
        return self.history[-1] if self.history else {}

    def stop(self, reason: str) -> None:
        """End after this step or epoch; the weights stay as they are then."""
        self.stop_reason = reason

    def state(self) -> dict[str, Any]:
        """Where it is, as JSON values."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "batch": self.batch,
            "history": self.history,
            "best": None if self.best is None else asdict(self.best),
            "stop_reason": self.stop_reason,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Be where ``state`` was taken."""
        best = state.pop("best")
        self.best = None if best is None else Best(**best)
        for name, value in state.items():
            setattr(self, name, value)
