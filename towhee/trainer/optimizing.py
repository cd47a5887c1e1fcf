"""The optimizer, and which weights it moves how far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from plugin_spec.nearest import did_you_mean
from towhee.trainer.errors import InvalidTrainingConfig
from towhee.trainer.mixing import layered_groups

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from towhee.trainer.training_config import TrainingConfig

_MATRIX: Final = 2


def make_optimizer(module: nn.Module, config: TrainingConfig) -> Optimizer:
    """An optimizer of all weights that may change.

    :raises InvalidTrainingConfig: with the nearest name in ``torch.optim``.
    """
    from torch import optim

    names = [
        name
        for name, kind in vars(optim).items()
        if isinstance(kind, type) and kind is not optim.Optimizer
    ]
    if config.optimizer not in names:
        near = did_you_mean(config.optimizer, names)
        raise InvalidTrainingConfig(
            [f"optimizer: `torch.optim` has no `{config.optimizer}`{near}"]
        )
    make: Any = getattr(optim, config.optimizer)
    optimizer: Optimizer = make(parameter_groups(module, config), lr=config.lr)
    return optimizer


def parameter_groups(module: nn.Module, config: TrainingConfig) -> list[dict[str, Any]]:
    """Weights by how they move: matrices decay, biases and scales do not."""
    layered = [] if config.layer_decay is None else layered_groups(module, config)
    placed = {id(each) for group in layered for each in group["params"]}
    return [*_plain_groups(module, placed, config), *layered]


def _plain_groups(
    module: nn.Module, placed: set[int], config: TrainingConfig
) -> list[dict[str, Any]]:
    moving = [
        each
        for each in module.parameters()
        if each.requires_grad and id(each) not in placed
    ]
    if not config.weight_decay:
        return [{"params": moving}] if moving else []
    matrices = [each for each in moving if each.ndim >= _MATRIX]
    others = [each for each in moving if each.ndim < _MATRIX]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
