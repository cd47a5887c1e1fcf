"""A training's folder tells what came out of it, to people and to programs."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from trainees import CLASSES, Small, points

from towhee.trainer.callbacks import Callback
from towhee.trainer.training import Training, train
from towhee.trainer.training_config import TrainingConfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from towhee.trainer.run import Run


@pytest.mark.slow
def test_the_folder_holds_weights_figures_curves_and_a_card(
    configure: Callable[..., TrainingConfig], tmp_path: Path
) -> None:
    config = configure(
        load_best_model_at_end=True, model_checkpoint={"every_n_epoch": 1}
    )
    result = train(Small(), config, points(24), points(8, seed=1))
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        "README.md",
        "checkpoints",
        "curves.png",
        "metrics.csv",
        "metrics.json",
        "model.safetensors",
        "training.json",
        "training.yaml",
    ]
    rows = json.loads((out / "metrics.json").read_text())
    assert rows == list(result.history)
    with (out / "metrics.csv").open() as file:
        read = [dict(row) for row in csv.DictReader(file)]
    assert [{key: float(row[key]) for key in row} for row in read] == rows
    assert TrainingConfig().load_from_yaml(out / "training.yaml") == config
    with Image.open(out / "curves.png") as picture:
        assert picture.size == (800, 300)
    facts = json.loads((out / "training.json").read_text())
    data = {"name": "points", "images": 24, "classes": list(CLASSES)}
    assert facts["trained_on"] == data
    assert facts["figures"] == result.figures
    assert result.figures["step"] == result.best["step"]
    card = (out / "README.md").read_text()
    assert card.startswith("# small, trained on points\n")
    assert "was trained takes this folder as `checkpoint_path`.\n" in card
    assert "Trained on 24 images of 3 classes (left, right, middle)." in card
    assert str(result).splitlines()[0] == (
        "epoch   step    loss  accuracy  evaluation loss  evaluation accuracy"
    )


@pytest.mark.slow
def test_tensorboard_reads_what_was_written(
    configure: Callable[..., TrainingConfig], tmp_path: Path
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import (  # noqa: PLC0415
        EventAccumulator,
    )

    config = configure(tensorboard={"log_dir": None, "comment": ".small"})
    training = Training(Small(), config, points(24), points(8, seed=1))
    run, _ = training.fit()
    events = EventAccumulator(str(tmp_path / "out" / "tensorboard"))
    events.Reload()
    written = [each.value for each in events.Scalars("eval_epoch_loss")]
    assert written == pytest.approx([row["eval_epoch_loss"] for row in run.history])


@pytest.mark.slow
def test_tensorboard_shows_a_resumed_training_whole_and_one_begun_anew_alone(
    configure: Callable[..., TrainingConfig], tmp_path: Path
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import (  # noqa: PLC0415
        EventAccumulator,
    )

    def steps() -> list[int]:
        events = EventAccumulator(str(tmp_path / "out" / "tensorboard"))
        events.Reload()
        return [each.step for each in events.Scalars("train_epoch_loss")]

    class Stop(Callback):
        def on_epoch_begin(self, run: Run) -> None:
            if run.epoch == 2:
                raise KeyboardInterrupt

    config = configure(tensorboard={}, model_checkpoint={"every_n_epoch": 1})
    with pytest.raises(KeyboardInterrupt):
        Training(Small(), config, points(24), callbacks=[Stop()]).fit()
    Training(Small(), config, points(24)).fit(resume=True)
    assert steps() == [6, 12, 18]
    config.epoch_num = 1
    Training(Small(), config, points(24)).fit()
    assert steps() == [6]
