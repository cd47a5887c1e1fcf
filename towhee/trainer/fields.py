"""What each field of a configuration may hold."""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

from plugin_spec.nearest import did_you_mean
from plugin_spec.wording import shown
from towhee.trainer.retrieval import is_retrieval, ranked_figures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "eval_strategy": ("epoch", "steps", "no"),
    "mixed_precision": ("no", "fp16", "bf16"),
    "lr_scheduler_type": ("linear", "cosine", "constant", "constant_with_warmup"),
    "early_stopping.mode": ("max", "min"),
    "trained_part": ("all", "head"),
}
_LEAST: Final[Mapping[str, float]] = {
    "batch_size": 1,
    "dataloader_num_workers": 0,
    "early_stopping.patience": 1,
    "epoch_num": 1,
    "eval_steps": 1,
    "gradient_accumulation_steps": 1,
    "images_per_class": 2,
    "layer_decay": 0,
    "lora.alpha": 1,
    "lora.rank": 1,
    "lr": 0,
    "max_grad_norm": 0,
    "mixup.cutmix_alpha": 0,
    "mixup.mixup_alpha": 0,
    "model_checkpoint.every_n_epoch": 1,
    "model_checkpoint.every_n_step": 1,
    "model_checkpoint.keep": 1,
    "print_steps": 1,
    "seed": 0,
    "warmup_steps": 0,
    "weight_decay": 0,
}
_RANGES: Final[Mapping[str, tuple[Callable[[float], bool], str]]] = {
    "ema": (lambda value: 0 < value < 1, "more than 0 and less than 1"),
    **dict.fromkeys(
        ("label_smoothing", "lora.dropout"),
        (lambda value: 0 <= value < 1, "0 or more and less than 1"),
    ),
    **dict.fromkeys(
        ("mixup.prob", "mixup.switch_prob", "warmup_ratio"),
        (lambda value: 0 <= value <= 1, "0 to 1"),
    ),
}
_WORDS: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a mapping",
    NoneType: "null",
}
_PARTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "early_stopping": {"monitor": str, "patience": int, "mode": str},
    "lora": {"rank": int, "alpha": int, "dropout": float, "targets": list | None},
    "mixup": dict.fromkeys(
        ("mixup_alpha", "cutmix_alpha", "prob", "switch_prob"), float
    ),
    "model_checkpoint": {"every_n_epoch": int, "every_n_step": int, "keep": int},
    "tensorboard": {"log_dir": str | None, "comment": str},
}


def field_problems(
    values: Mapping[str, Any], hints: Mapping[str, Any]
) -> Iterator[str]:
    """A line for each value that is of another type than its hint, or out of range."""
    for name, value in values.items():
        if not _is_a(value, hints[name]):
            yield f"{name}: expected {_type_words(hints[name])}, got {shown(value)}"
            continue
        yield from _out_of_range(name, value)
        if name in _PARTS and isinstance(value, dict):
            yield from _part_problems(name, value)
    yield from _monitor_problems(values)


def _monitor_problems(values: Mapping[str, Any]) -> Iterator[str]:
    """A line for a figure that no training with this metric measures."""
    stopping, metric = values["early_stopping"], values["metric"]
    monitor = stopping.get("monitor") if isinstance(stopping, dict) else None
    if not (isinstance(monitor, str) and isinstance(metric, str)):
        return
    found = (
        [f"eval_{name}" for name in ranked_figures(metric)]
        if is_retrieval(metric)
        else ["train_epoch_metric"]
    )
    known = ["eval_epoch_metric", "eval_epoch_loss", "train_epoch_loss", *found]
    if monitor not in known:
        near = did_you_mean(monitor, known) or f": there are {', '.join(known)}"
        yield f"early_stopping.monitor: nothing measures `{monitor}`{near}"


def _part_problems(name: str, value: Mapping[str, Any]) -> Iterator[str]:
    known = _PARTS[name]
    for key, part in value.items():
        where = f"{name}.{key}"
        if key not in known:
            yield f"{where}: unknown{did_you_mean(str(key), known)}"
        elif not _is_a(part, known[key]):
            yield f"{where}: expected {_type_words(known[key])}, got {shown(part)}"
        else:
            yield from _out_of_range(where, part)


def _out_of_range(where: str, value: Any) -> Iterator[str]:  # noqa: ANN401
    if where in _CHOICES and value not in _CHOICES[where]:
        choices = ", ".join(_CHOICES[where])
        yield f"{where}: expected one of {choices}, got {shown(value)}"
    # Nothing is said of nan but by what it is not.
    if where in _LEAST and value is not None and not value >= _LEAST[where]:
        yield f"{where}: expected {_LEAST[where]} or more, got {shown(value)}"
    if where in _RANGES and value is not None:
        holds, words = _RANGES[where]
        if not holds(value):
            yield f"{where}: expected {words}, got {shown(value)}"
    if where == "metric" and value != "Accuracy" and not is_retrieval(value):
        known = "Accuracy, MeanAveragePrecision, Recall@1 (or at another rank)"
        yield f"metric: expected one of {known}, got {shown(value)}"
    if where == "val_batch_size" and value != -1 and value < 1:
        yield f"{where}: expected 1 or more, or -1 for `batch_size`, got {shown(value)}"


def _kinds(hint: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """The classes that a hint stands for.

    >>> _kinds(dict[str, int] | None)
    (<class 'dict'>, <class 'NoneType'>)
    """
    choices = (hint,) if get_origin(hint) is dict else get_args(hint) or (hint,)
    return tuple(get_origin(each) or each for each in choices)


def _is_a(value: Any, hint: Any) -> bool:  # noqa: ANN401
    kinds = _kinds(hint)
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, (*kinds, *((int,) if float in kinds else ())))


def _type_words(hint: Any) -> str:  # noqa: ANN401
    return " or ".join(_WORDS[kind] for kind in _kinds(hint))
