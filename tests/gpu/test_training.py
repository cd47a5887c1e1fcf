"""Training on a GPU learns what training on a processor does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from trainees import Small, points

from towhee.trainer.callbacks import Callback
from towhee.trainer.training import Training
from towhee.trainer.training_config import TrainingConfig

if TYPE_CHECKING:
    from pathlib import Path

    from towhee.trainer.run import Run


class Noting(Callback):
    """Notes where weights are."""

    def __init__(self) -> None:
        self.devices: set[str] = set()

    def on_step_end(self, run: Run) -> None:
        self.devices.add(next(run.trainee.network.parameters()).device.type)


def trained(folder: Path, **fields: Any) -> torch.Tensor:  # noqa: ANN401
    """The weights after three epochs without chance."""
    operator = Small(dropout=0.0)
    config = TrainingConfig(
        output_dir=str(folder),
        batch_size=4,
        epoch_num=3,
        lr=0.01,
        optimizer="SGD",
        early_stopping=None,
        model_checkpoint=None,
        tensorboard=None,
        **fields,
    )
    noting = Noting()
    Training(operator, config, points(24), points(8, 1), [noting]).fit()
    assert noting.devices == {fields.get("device_str", "cuda")}
    return operator.weights


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("no", 1e-5), ("bf16", 2e-2), ("fp16", 2e-2)]
)
def test_weights_are_those_of_the_processor(
    tmp_path: Path, precision: str, tolerance: float
) -> None:
    found = trained(tmp_path / "gpu", mixed_precision=precision)
    expected = trained(tmp_path / "cpu", device_str="cpu")
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)
