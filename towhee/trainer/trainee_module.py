"""The module that is trained. It is imported when torch is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor, nn  # noqa: TID253  (a class has to derive from torch's)

if TYPE_CHECKING:
    from plugin_spec import Trainee


class Outputs(NamedTuple):
    """What one forward pass gives; an objective and a metric share it."""

    vectors: Tensor
    logits: Tensor | None


class TraineeModule(nn.Module):
    """The network, and the head on what it gives."""

    def __init__(self, trainee: Trainee) -> None:
        super().__init__()
        self.network = trainee.network
        self.head = trainee.head

    def forward(self, images: Tensor) -> Outputs:
        """Compute one batch, (B, 3, H, W)."""
        vectors = self.network(images)
        return Outputs(vectors, None if self.head is None else self.head(vectors))


def set_mode(module: nn.Module, *, training: bool, freeze_bn: bool) -> None:
    """Let a module train or evaluate; normalisations may stay as they are.

    What is frozen evaluates in any case: statistics that went on changing, and units
    that dropped out, would make other vectors of weights that stay.
    """
    module.train(training)
    if training:
        for each in _frozen(module):
            each.eval()
    if training and freeze_bn:
        for each in _normalisations(module):
            each.eval()


def freeze_normalisations(module: nn.Module) -> None:
    """Let no step change the weights of normalisations over a batch."""
    for each in _normalisations(module):
        each.requires_grad_(requires_grad=False)


def _frozen(module: nn.Module) -> list[nn.Module]:
    """The parts that have weights, of which none may change."""
    return [
        each
        for each in module.modules()
        if (weights := list(each.parameters()))
        and not any(weight.requires_grad for weight in weights)
    ]


def _normalisations(module: nn.Module) -> list[nn.Module]:
    kinds = nn.modules.batchnorm._BatchNorm  # noqa: SLF001  (torch names it nowhere else)
    return [each for each in module.modules() if isinstance(each, kinds)]
