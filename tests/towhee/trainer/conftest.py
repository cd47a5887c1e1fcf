"""Trainings that take a tenth of a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from towhee.trainer.training_config import TrainingConfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., TrainingConfig]:
    """A quick training that prints nothing."""

    def make(**fields: object) -> TrainingConfig:
        usual: dict[str, Any] = {
            "output_dir": str(tmp_path / "out"),
            "batch_size": 4,
            "epoch_num": 3,
            "lr": 0.01,
            "early_stopping": None,
            "model_checkpoint": None,
            "tensorboard": None,
            "device_str": "cpu",
        }
        return TrainingConfig(**{**usual, **fields})

    return make
