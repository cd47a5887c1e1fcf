"""How the learning rate changes over the steps that there will be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from towhee.trainer.training_config import TrainingConfig


def factor(kind: str, step: int, *, total: int, warmup: int = 0) -> float:
    """What the rate is multiplied by at a step, counted from 0.

    It rises over ``warmup`` steps, and comes to 0 after the last, not before.

    >>> [round(factor("linear", step, total=4), 2) for step in range(5)]
    [1.0, 0.75, 0.5, 0.25, 0.0]
    >>> [round(factor("cosine", step, total=4, warmup=2), 2) for step in range(5)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if kind == "constant":
        return 1.0
    if step < warmup:
        return step / warmup
    if kind == "constant_with_warmup":
        return 1.0
    done = min(1.0, (step - warmup) / max(1, total - warmup))
    return 1 - done if kind == "linear" else (1 + math.cos(math.pi * done)) / 2


def make_schedule(optimizer: Any, config: TrainingConfig, total: int) -> Any:  # noqa: ANN401
    """Torch's own schedule; one step of it for each step of the optimizer."""
    from torch.optim.lr_scheduler import LambdaLR

    warmup = config.warmup_steps or math.ceil(config.warmup_ratio * total)
    kind = config.lr_scheduler_type
    return LambdaLR(
        optimizer, lambda step: factor(kind, step, total=total, warmup=warmup)
    )
