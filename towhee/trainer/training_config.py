"""How to train, as a value that a YAML file holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, get_type_hints

from plugin_spec.nearest import did_you_mean
from towhee.trainer.errors import InvalidTrainingConfig
from towhee.trainer.fields import field_problems

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

_GROUPS: Final = {"callback", "device", "learning", "logging", "metric", "train"}
"""Under which Towhee's files gather their fields."""


@dataclass(slots=True)
class TrainingConfig:
    """Towhee's fields with their defaults, and what is expected today.

    It may be changed until a training begins, which checks it and takes a copy.

    >>> TrainingConfig(batch_size=2, epoch_num=2).lr
    5e-05
    """

    output_dir: str = "./output_dir"
    overwrite_output_dir: bool = True
    """Whether a folder that a training left may be written to again."""
    eval_strategy: str = "epoch"
    """``epoch``, ``steps`` or ``no``."""
    eval_steps: int | None = None
    """With the strategy ``steps``: one evaluation each so many, and one at the end."""
    batch_size: int = 8
    """Images a step, on each device."""
    val_batch_size: int = -1
    """Images at once in evaluation; -1 for ``batch_size``."""
    seed: int = 42
    epoch_num: int = 2
    dataloader_pin_memory: bool = True
    dataloader_drop_last: bool = True
    """Whether images that fill no batch are left out of an epoch."""
    dataloader_num_workers: int = 0
    lr: float = 5e-5
    metric: str = "Accuracy"
    """``Accuracy``, ``MeanAveragePrecision``, ``Recall@1`` or at another rank."""
    print_steps: int | None = None
    """Print a line after so many steps; None for a progress bar alone."""
    load_best_model_at_end: bool = False
    """Whether the weights of the best evaluation are those that are kept."""
    early_stopping: dict[str, Any] | None = field(
        default_factory=lambda: {
            "monitor": "eval_epoch_metric",
            "patience": 4,
            "mode": "max",
        }
    )
    """Stop when ``monitor`` was not better for ``patience`` evaluations; None never."""
    model_checkpoint: dict[str, Any] | None = field(
        default_factory=lambda: {"every_n_epoch": 1}
    )
    """When to write what a killed training goes on from; the last ``keep`` are kept."""
    tensorboard: dict[str, Any] | None = field(
        default_factory=lambda: {"log_dir": None, "comment": ""}
    )
    """Where curves are written as it trains; by default in ``output_dir``."""
    loss: str = "CrossEntropyLoss"
    """A class of ``torch.nn`` that takes logits and labels, or one of vectors."""
    optimizer: str = "Adam"
    """A class of ``torch.optim``."""
    lr_scheduler_type: str = "linear"
    warmup_ratio: float = 0.0
    """The share of all steps in which the rate rises from 0."""
    warmup_steps: int = 0
    """The same in steps; it goes before ``warmup_ratio``."""
    device_str: str | None = None
    """A device by torch's name; by default a GPU where there is one."""
    sync_bn: bool = False
    """Whether normalisations see the batches of all devices."""
    freeze_bn: bool = False
    """Whether normalisations keep the statistics and weights that they have."""

    mixed_precision: str = "no"
    """``no``, ``fp16`` or ``bf16``; weights stay float32."""
    gradient_accumulation_steps: int = 1
    """Batches to a step of the optimizer."""
    max_grad_norm: float | None = None
    """Scale longer gradients down to this length."""
    weight_decay: float = 0.0
    """Of matrices alone, not of biases and normalisations."""
    label_smoothing: float = 0.0
    compile: bool = False
    """Whether ``torch.compile`` makes the steps faster, after half a minute."""
    augmentation: dict[str, Any] | None = None
    """The operator's own options of it; by default images are as in evaluation."""
    loss_options: dict[str, Any] | None = None
    """Of a loss that compares vectors, such as ``temperature`` or ``margin``."""
    images_per_class: int = 4
    """With such a loss, how many images of a batch share a class."""
    trained_part: str = "all"
    """``all``, or ``head``: the network stays, and so do its vectors."""
    freeze_up_to: str | None = None
    """The last layer that stays as it is, such as ``layer3`` or ``blocks.8``."""
    layer_decay: float | None = None
    """The rate of a layer, as a part of the next one's; 0.75 is usual."""
    ema: float | None = None
    """Judge and keep an average of the weights, of which so much stays at a step."""
    mixup: dict[str, Any] | None = None
    """Blend images: ``mixup_alpha``, ``cutmix_alpha``, ``prob``, ``switch_prob``."""
    lora: dict[str, Any] | None = None
    """``rank``, ``alpha``, ``dropout``, ``targets``: adapters, merged at the end."""

    def __post_init__(self) -> None:
        """Check every field.

        :raises InvalidTrainingConfig: with all problems.
        """
        hints = get_type_hints(type(self))
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        if problems := list(field_problems(values, hints)):
            raise InvalidTrainingConfig(problems)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, source: str = "") -> Self:
        """Take fields by name; those that are missing have their defaults.

        :raises InvalidTrainingConfig: with all problems, and the nearest names.
        """
        flat = dict(_ungrouped(values))
        known = [each.name for each in fields(cls)]
        unknown = [
            f"{name}: unknown{did_you_mean(name, known)}"
            for name in flat
            if name not in known
        ]
        try:
            config = cls(**{name: flat[name] for name in flat if name in known})
        except InvalidTrainingConfig as error:
            problems = (*unknown, *error.problems)
            raise InvalidTrainingConfig(problems, source=source) from None
        if unknown:
            raise InvalidTrainingConfig(unknown, source=source)
        return config

    def to_dict(self) -> dict[str, Any]:
        """Every field, as JSON values."""
        return asdict(self)

    def copy(self) -> Self:
        """The same, checked again: fields may have been set since it was made."""
        return replace(self)

    def load_from_yaml(self, path2yaml: str | os.PathLike[str]) -> Self:
        """Take the fields that a file sets, and the defaults for all others.

        Fields may lie in groups, as Towhee wrote them (``train``, ``learning``, …).

        :returns: itself.
        :raises InvalidTrainingConfig: with all problems; nothing is changed then.
        """
        from plugin_spec.strict_yaml import UnreadableYaml, read_yaml  # noqa: PLC0415
        from plugin_spec.wording import sentence  # noqa: PLC0415

        path = str(path2yaml)
        try:
            document = read_yaml(Path(path).read_bytes())
        except UnreadableYaml as error:
            raise InvalidTrainingConfig([str(error)], source=path) from error
        if document.problems:
            raise InvalidTrainingConfig(
                (
                    sentence(each.path, each.message, each.line)
                    for each in document.problems
                ),
                source=path,
            )
        read = self.from_dict(document.value, source=path)
        for each in fields(self):
            setattr(self, each.name, getattr(read, each.name))
        return self

    def save_to_yaml(self, path2yaml: str | os.PathLike[str]) -> None:
        """Write every field."""
        import yaml  # noqa: PLC0415  (as it is used)

        text = yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)
        Path(path2yaml).write_text(text, encoding="utf-8")


def _ungrouped(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if name in _GROUPS and isinstance(value, dict):
            yield from value.items()
        else:
            yield name, value
