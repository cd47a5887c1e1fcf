"""Vectors that lie near what is of their class: the objectives of an embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from towhee.extras import needed_for
from towhee.trainer.errors import InvalidTrainingConfig
from towhee.trainer.retrieval import Retrieval, is_retrieval

if TYPE_CHECKING:
    from torch import Tensor

    from towhee.trainer.trainee_module import Outputs
    from towhee.trainer.training_config import TrainingConfig

LOSSES: Final = (
    "CircleLoss",
    "ContrastiveLoss",
    "MultiSimilarityLoss",
    "NTXentLoss",
    "SupConLoss",
    "TripletMarginLoss",
)
"""Those of pytorch-metric-learning that take vectors and labels, and learn nothing."""


class MetricLearning:
    """Compare the images of a batch with each other; no head is trained."""

    needs_head: ClassVar[bool] = False

    def __init__(self, config: TrainingConfig) -> None:
        """Make the loss.

        :raises InvalidTrainingConfig: with all problems.
        :raises MissingExtra: if pytorch-metric-learning is not installed.
        """
        if problems := _problems(config):
            raise InvalidTrainingConfig(problems)
        self.metric = config.metric
        self._loss = _make_loss(config)

    def loss(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """The mean loss of a batch; 0 where it has no pair to compare."""
        loss: Tensor = self._loss(outputs.vectors, labels)
        return loss

    def training_meter(self) -> None:
        """None: a batch is too small to search in."""

    def evaluation_meter(self) -> Retrieval:
        """How well each image finds those of its class."""
        return Retrieval(self.metric)


def _problems(config: TrainingConfig) -> list[str]:
    problems = []
    if not is_retrieval(config.metric):
        problems.append(
            f"metric: `{config.loss}` trains no head to judge by {config.metric}: "
            "set Recall@1, another Recall@k, or MeanAveragePrecision"
        )
    if config.batch_size % config.images_per_class:
        problems.append(
            f"images_per_class: {config.images_per_class} do not divide a batch of "
            f"{config.batch_size}"
        )
    elif config.batch_size == config.images_per_class:
        problems.append("images_per_class: a batch of one class has nothing to compare")
    if config.label_smoothing:
        problems.append("label_smoothing: only `CrossEntropyLoss` smooths labels")
    return problems


def _make_loss(config: TrainingConfig) -> Any:  # noqa: ANN401  (a module)
    with needed_for(f"Training by {config.loss}", extra="train"):
        from pytorch_metric_learning import losses

    try:
        return getattr(losses, config.loss)(**(config.loss_options or {}))
    except TypeError as error:
        told = str(error).rpartition(") ")[2] or str(error)
        raise InvalidTrainingConfig(
            [f"loss_options: `{config.loss}` refuses them: {told}"]
        ) from error
