"""How well a model does on images that it does not learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from towhee.trainer.meters import Average
from towhee.trainer.trainee_module import Outputs, set_mode

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch import Tensor

    from towhee.trainer.objective import Objective


def evaluate(
    accelerator: Accelerator,
    module: Any,  # noqa: ANN401  (as accelerate wraps it)
    batches: Any,  # noqa: ANN401  (as above)
    objective: Objective,
) -> dict[str, float]:
    """Loss, metric and what else its meter knows, over every image once.

    On any number of processes.
    """
    import torch

    loss, meter = Average(), objective.evaluation_meter()
    set_mode(module, training=False, freeze_bn=False)
    with torch.no_grad():
        for images, labels in batches:
            outputs, labels = _gathered(accelerator, module(images), labels)  # noqa: PLW2901
            loss.add(objective.loss(outputs, labels) * len(labels), len(labels))
            meter.update(outputs, labels)
    found = meter.figures()
    metric = found[objective.metric] if objective.metric in found else meter.value()
    return {
        "eval_epoch_loss": loss.value(),
        "eval_epoch_metric": metric,
        **{f"eval_{name}": value for name, value in found.items()},
    }


def _gathered(
    accelerator: Accelerator, outputs: Outputs, labels: Tensor
) -> tuple[Outputs, Tensor]:
    """From all processes, without what was repeated to fill the last batch."""
    if outputs.logits is None:
        vectors, labels = accelerator.gather_for_metrics((outputs.vectors, labels))
        return Outputs(vectors, None), labels
    found = accelerator.gather_for_metrics((outputs.vectors, outputs.logits, labels))
    vectors, logits, labels = found
    return Outputs(vectors, logits), labels
