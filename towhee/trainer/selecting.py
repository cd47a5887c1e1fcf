"""What a training moves: all, the head, what lies behind a layer, or adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from plugin_spec.nearest import did_you_mean
from towhee.extras import needed_for
from towhee.trainer.errors import CannotTrain, InvalidTrainingConfig

if TYPE_CHECKING:
    from torch import nn

    from plugin_spec import Trainee
    from towhee.trainer.training_config import TrainingConfig

_LORA: Final = {"rank": 8, "alpha": 16, "dropout": 0.0, "targets": None}


class Selection:
    """The weights of a trainee that move; the others keep what they are.

    :raises CannotTrain: if nothing would move.
    :raises InvalidTrainingConfig: with the nearest layer's name.
    """

    def __init__(self, trainee: Trainee, config: TrainingConfig) -> None:
        self._adapted: Any = None
        _check_alone(config)
        if config.trained_part == "head":
            if trainee.head is None:
                raise CannotTrain(
                    f"`{config.loss}` trains no head, and nothing else is to be",
                    hint="Set `trained_part` to all, or another `loss`",
                )
            trainee.network.requires_grad_(requires_grad=False)
        if config.freeze_up_to is not None:
            freeze_up_to(trainee.network, config.freeze_up_to)
        if config.lora is not None:
            self._adapted = _adapted(trainee.network, {**_LORA, **config.lora})

    def merge(self) -> None:
        """Put what adapters learned into the weights beside them, and take them off."""
        if self._adapted is not None:
            self._adapted.merge_and_unload()
            self._adapted = None


def _check_alone(config: TrainingConfig) -> None:
    others = config.trained_part != "all" or config.freeze_up_to is not None
    if config.lora is not None and others:
        raise InvalidTrainingConfig(
            ["lora: adapters freeze all else: leave `trained_part`, `freeze_up_to` out"]
        )


def freeze_up_to(network: nn.Module, layer: str) -> None:
    """Let no step change a layer, nor what a model registers before it.

    >>> from torch.nn import Linear, Sequential
    >>> network = Sequential(Linear(2, 2), Linear(2, 2), Linear(2, 2))
    >>> freeze_up_to(network, "1")
    >>> [each.weight.requires_grad for each in network]
    [False, False, True]

    :param layer: by its whole name in the network, or the end of it (``layer3``).
    :raises InvalidTrainingConfig: with the nearest name.
    """
    names = [name for name, _ in network.named_modules()]
    whole = _whole_name(names, layer)
    last = max(
        index
        for index, name in enumerate(names)
        if name == whole or name.startswith(f"{whole}.")
    )
    for module in list(network.modules())[: last + 1]:
        for weight in module.parameters(recurse=False):
            weight.requires_grad = False


def _whole_name(names: list[str], layer: str) -> str:
    found = [name for name in names if f".{name}".endswith(f".{layer}")]
    if not (layer and found):
        # Models hold others: the end of a name is what one reads in their papers.
        ends = {name.partition(".")[2] for name in names} | set(names)
        near = did_you_mean(layer, sorted(ends - {""}))
        raise InvalidTrainingConfig(
            [f"freeze_up_to: the network has no layer `{layer}`{near}"]
        )
    return min(found, key=lambda name: name.count("."))


def _adapted(network: nn.Module, options: dict[str, Any]) -> Any:  # noqa: ANN401  (peft's)
    """Put adapters into the network, the same object, and let them alone move."""
    with needed_for("Training by LoRA", extra="train"):
        from peft import LoraConfig, LoraModel

    config = LoraConfig(
        r=options["rank"],
        lora_alpha=options["alpha"],
        lora_dropout=options["dropout"],
        target_modules=_targets(network, options["targets"]),
    )
    return LoraModel(network, config, "default")


def _targets(network: nn.Module, wanted: list[str] | None) -> list[str]:
    """Whole names of the layers that get an adapter: by default every one that can."""
    from torch import nn

    kinds = (nn.Linear, nn.Conv2d)
    can = [
        name
        for name, module in network.named_modules()
        if isinstance(module, kinds) and getattr(module, "groups", 1) == 1
    ]
    if wanted is None:
        return can
    problems = []
    found: list[str] = []
    for each in wanted:
        matching = [name for name in can if f".{each}." in f".{name}."]
        if not matching:
            near = did_you_mean(each, sorted({name.split(".")[-1] for name in can}))
            problems.append(f"lora.targets: no layer is named `{each}`{near}")
        found += matching
    if problems:
        raise InvalidTrainingConfig(problems)
    return list(dict.fromkeys(found))


def check_moving(module: nn.Module) -> None:
    """Refuse a training that would change nothing.

    :raises CannotTrain: if every weight is frozen.
    """
    if not any(each.requires_grad for each in module.parameters()):
        raise CannotTrain(
            "Every weight is frozen: there is nothing to train",
            hint="Set `freeze_up_to` to an earlier layer",
        )
