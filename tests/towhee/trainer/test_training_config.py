"""A configuration is Towhee's, is checked whole, and survives a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from towhee.trainer.errors import InvalidTrainingConfig
from towhee.trainer.training_config import TrainingConfig

if TYPE_CHECKING:
    from pathlib import Path

TOWHEES = {
    "output_dir": "./output_dir",
    "overwrite_output_dir": True,
    "eval_strategy": "epoch",
    "eval_steps": None,
    "batch_size": 8,
    "val_batch_size": -1,
    "seed": 42,
    "epoch_num": 2,
    "dataloader_pin_memory": True,
    "dataloader_drop_last": True,
    "dataloader_num_workers": 0,
    "lr": 5e-5,
    "metric": "Accuracy",
    "print_steps": None,
    "load_best_model_at_end": False,
    "early_stopping": {"monitor": "eval_epoch_metric", "patience": 4, "mode": "max"},
    "model_checkpoint": {"every_n_epoch": 1},
    "tensorboard": {"log_dir": None, "comment": ""},
    "loss": "CrossEntropyLoss",
    "optimizer": "Adam",
    "lr_scheduler_type": "linear",
    "warmup_ratio": 0.0,
    "warmup_steps": 0,
    "device_str": None,
    "sync_bn": False,
    "freeze_bn": False,
}


def test_fields_and_defaults_are_towhees() -> None:
    assert TrainingConfig().to_dict().items() >= TOWHEES.items()


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    config = TrainingConfig(lr=1e-4, early_stopping=None, augmentation={"hflip": 0.5})
    config.save_to_yaml(tmp_path / "train.yaml")
    assert TrainingConfig().load_from_yaml(tmp_path / "train.yaml") == config


def test_a_file_of_towhees_may_have_groups(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text(
        "train:\n  batch_size: 2\n  output_dir: out\nlearning:\n  lr: 5e-4\n"
        "metric:\n  metric: Accuracy\ndevice:\n  freeze_bn: true\n"
    )
    config = TrainingConfig()
    assert config.load_from_yaml(path) is config
    assert (config.batch_size, config.output_dir) == (2, "out")
    assert (config.lr, config.freeze_bn) == (5e-4, True)


def test_every_problem_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text(
        "epoch_nm: 3\nbatch_size: many\nlr: -1\nval_batch_size: 0\n"
        "early_stopping: {patient: 2, mode: most}\nmixed_precision: fp8\n"
        "freeze_bn: 1\nloss: null\n"
    )
    config = TrainingConfig()
    with pytest.raises(InvalidTrainingConfig) as caught:
        config.load_from_yaml(path)
    assert str(caught.value) == (
        f"`{path}` is no configuration of a training\n"
        "  epoch_nm: unknown: did you mean `epoch_num`?\n"
        "  batch_size: expected a whole number, got 'many'\n"
        "  val_batch_size: expected 1 or more, or -1 for `batch_size`, got the number 0\n"
        "  lr: expected 0 or more, got the number -1\n"
        "  early_stopping.patient: unknown: did you mean `patience`?\n"
        "  early_stopping.mode: expected one of max, min, got 'most'\n"
        "  loss: expected text, got nothing\n"
        "  freeze_bn: expected true or false, got the number 1\n"
        "  mixed_precision: expected one of no, fp16, bf16, got 'fp8'"
    )
    assert config == TrainingConfig()


@pytest.mark.parametrize(
    ("field", "allowed", "refused", "words"),
    [
        ("ema", (0.5, 0.9999), (0.0, 1.0), "more than 0 and less than 1"),
        ("label_smoothing", (0.0, 0.99), (-0.1, 1.0), "0 or more and less than 1"),
        ("warmup_ratio", (0.0, 1.0), (-0.1, 1.5), "0 to 1"),
        ("lr", (0.0, 9.0), (-1.0, float("nan")), "0 or more"),
    ],
)
def test_a_number_out_of_its_range_is_refused(
    field: str, allowed: tuple[float, ...], refused: tuple[float, ...], words: str
) -> None:
    for value in allowed:
        assert getattr(TrainingConfig.from_dict({field: value}), field) == value
    for value in refused:
        with pytest.raises(InvalidTrainingConfig) as caught:
            TrainingConfig.from_dict({field: value})
        assert caught.value.problems == (
            f"{field}: expected {words}, got the number {value}",
        )


@pytest.mark.parametrize(
    ("metric", "monitor", "near"),
    [
        ("Accuracy", "eval_epch_metric", "did you mean `eval_epoch_metric`?"),
        ("Recall@3", "eval_Recal@3", "did you mean `eval_Recall@3`?"),
        ("Recall@3", "train_epoch_metric", "did you mean `eval_epoch_metric`?"),
        (
            "Accuracy",
            "f1",
            (
                "there are eval_epoch_metric, eval_epoch_loss, train_epoch_loss, "
                "train_epoch_metric"
            ),
        ),
    ],
)
def test_a_figure_that_nothing_measures_is_not_waited_for(
    metric: str, monitor: str, near: str
) -> None:
    stopping = {"monitor": monitor}
    with pytest.raises(InvalidTrainingConfig) as caught:
        TrainingConfig(metric=metric, early_stopping=stopping)
    assert caught.value.problems == (
        f"early_stopping.monitor: nothing measures `{monitor}`: {near}",
    )


def test_what_is_no_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text("batch_size: 2\nbatch_size: 3\n")
    with pytest.raises(InvalidTrainingConfig, match="line 2: batch_size"):
        TrainingConfig().load_from_yaml(path)


def test_a_field_set_later_is_checked_when_a_training_takes_it() -> None:
    config = TrainingConfig()
    config.batch_size = 0
    with pytest.raises(InvalidTrainingConfig, match="batch_size: expected 1 or more"):
        config.copy()
