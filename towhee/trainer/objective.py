"""What training makes smaller, and what it is judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from plugin_spec.nearest import did_you_mean
from towhee.trainer.errors import InvalidTrainingConfig
from towhee.trainer.meters import Accuracy
from towhee.trainer.metric_learning import LOSSES, MetricLearning
from towhee.trainer.retrieval import Retrieval, is_retrieval

if TYPE_CHECKING:
    from torch import Tensor

    from towhee.trainer.meters import Counted, Meter
    from towhee.trainer.trainee_module import Outputs
    from towhee.trainer.training_config import TrainingConfig


class Objective(Protocol):
    """A loss over one forward pass, and meters over many."""

    needs_head: ClassVar[bool]
    """Whether the network needs a head that tells the classes apart."""
    metric: str
    """What the meters measure."""

    def loss(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """The mean loss of a batch, to go back from."""

    def training_meter(self) -> Counted | None:
        """A new one for an epoch of training; None if a batch tells too little."""

    def evaluation_meter(self) -> Meter:
        """A new one for an evaluation."""


class Classification:
    """Tell classes apart, by a loss of torch's on the head's logits."""

    needs_head: ClassVar[bool] = True

    def __init__(self, config: TrainingConfig) -> None:
        """Make the loss.

        :raises InvalidTrainingConfig: with the nearest name in ``torch.nn``.
        """
        self.metric = config.metric
        self._loss = _make_loss(config)

    def loss(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """The mean loss of a batch."""
        assert outputs.logits is not None
        loss: Tensor = self._loss(outputs.logits, labels)
        return loss

    def training_meter(self) -> Counted | None:
        """The share that is told right, as it trains; None if that is not judged."""
        return None if is_retrieval(self.metric) else Accuracy()

    def evaluation_meter(self) -> Meter:
        """The share that is told right, or how well vectors find their like."""
        return Retrieval(self.metric) if is_retrieval(self.metric) else Accuracy()


def make_objective(config: TrainingConfig) -> Objective:
    """What a configuration asks for."""
    if config.loss in LOSSES:
        return MetricLearning(config)
    if config.loss_options:
        raise InvalidTrainingConfig(
            [f"loss_options: of losses that compare vectors: {', '.join(LOSSES)}"]
        )
    return Classification(config)


def _make_loss(config: TrainingConfig) -> Any:  # noqa: ANN401  (a module)
    from torch import nn

    names = [name for name in dir(nn) if name.endswith("Loss")]
    if config.loss not in names:
        near = did_you_mean(config.loss, [*names, *LOSSES])
        raise InvalidTrainingConfig([f"loss: `torch.nn` has no `{config.loss}`{near}"])
    options: dict[str, Any] = {}
    if config.label_smoothing:
        if config.loss != "CrossEntropyLoss":
            raise InvalidTrainingConfig(
                ["label_smoothing: only `CrossEntropyLoss` smooths labels"]
            )
        options["label_smoothing"] = config.label_smoothing
    return getattr(nn, config.loss)(**options)
