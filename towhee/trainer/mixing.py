"""What timm lends a training: mixed images, an average of weights, rates by layer."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from towhee.trainer.errors import CannotTrain, InvalidTrainingConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor, nn

    from towhee.trainer.training_config import TrainingConfig

    Mixing = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

_MIXUP: Final = {"mixup_alpha": 0.8, "cutmix_alpha": 0.0}


@contextmanager
def lent_by_timm(purpose: str) -> Iterator[None]:
    """Say what is missing, where an operator does without timm.

    :raises CannotTrain: naming the package.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "timm":
            raise
        raise CannotTrain(
            f"{purpose} needs the package `timm`", hint="Run `pip install timm`"
        ) from error


def make_mixing(config: TrainingConfig, classes: int) -> Mixing | None:
    """What blends the images of a batch, and their labels with them; None without.

    :raises InvalidTrainingConfig: with all problems.
    """
    if config.mixup is None:
        return None
    problems = []
    if config.loss != "CrossEntropyLoss":
        problems.append("mixup: only `CrossEntropyLoss` takes blended labels")
    if config.batch_size % 2 or not config.dataloader_drop_last:
        problems.append(
            "mixup: images are blended in pairs: set an even `batch_size`, and "
            "`dataloader_drop_last` to true"
        )
    if problems:
        raise InvalidTrainingConfig(problems)
    with lent_by_timm("Mixup"):
        from timm import data
    # Labels are smoothed by the loss, once.
    options = {**_MIXUP, **config.mixup, "label_smoothing": 0.0}
    timms: Any = data
    mixing: Mixing = timms.Mixup(num_classes=classes, **options)
    return mixing


def make_average(module: nn.Module, config: TrainingConfig) -> Any:  # noqa: ANN401  (timm's)
    """A copy of the module that follows its weights slowly; None if none is wanted.

    It follows faster at first, so that a short training does not end where it began.
    """
    if config.ema is None:
        return None
    with lent_by_timm("An average of weights"):
        from timm import utils
    timms: Any = utils
    return timms.ModelEmaV3(module, decay=config.ema, use_warmup=True)


def layered_groups(module: nn.Module, config: TrainingConfig) -> list[dict[str, Any]]:
    """Weights with a rate of their own: each layer's is ``layer_decay`` of the next's.

    What lies behind the model, such as a head, comes first, at the whole rate.

    :raises CannotTrain: if the model does not tell its layers apart, as timm's do.
    """
    inner: Any = next(
        (each for each in module.modules() if hasattr(each, "group_matcher")), None
    )
    if inner is None:
        raise CannotTrain(
            "This model does not tell its layers apart, as timm's do",
            hint="Leave `layer_decay` out",
        )
    with lent_by_timm("A rate for each layer"):
        from timm import optim
    timms: Any = optim
    groups: list[dict[str, Any]] = timms.param_groups_layer_decay(
        inner, weight_decay=config.weight_decay, layer_decay=config.layer_decay
    )
    for group in groups:
        group["lr"] = config.lr * group.pop("lr_scale")
    return groups
