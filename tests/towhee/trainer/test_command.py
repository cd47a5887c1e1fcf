"""``hub train``: a folder of images in, a folder that an operator reads out."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import trainees
from docs.json_shapes import differences, read_shapes
from PIL import Image

from towhee import pipeline
from towhee.cli import main
from towhee.trainer.training_config import TrainingConfig

if TYPE_CHECKING:
    from collections.abc import Callable

OPERATOR = f"""
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from plugin_spec import TrainableOperator, Trainee

{inspect.getsource(trainees.Small)}

class Subject(Small):
    def __init__(self, checkpoint_path=None):
        super().__init__()
        if checkpoint_path:
            self.restore(Path(checkpoint_path).parent)

    def prepare(self, image):
        if not isinstance(image, np.ndarray):
            image = np.asarray(image)
        return torch.tensor(image.reshape(-1)[:8] / 255, dtype=torch.float32)
"""


@pytest.fixture
def colours() -> Path:
    """Two classes of six images each."""
    numbers = np.random.default_rng(0)
    for name, channel in (("red", 0), ("green", 1)):
        folder = Path("colours", name)
        folder.mkdir(parents=True)
        for index in range(6):
            pixels = numbers.integers(0, 60, (4, 4, 3), dtype=np.uint8)
            pixels[..., channel] += 190
            Image.fromarray(pixels).save(folder / f"{index}.png")
    Path("train.yaml").write_text(
        "batch_size: 4\nepoch_num: 5\nlr: 0.05\nmodel_checkpoint: null\n"
        "tensorboard: null\ndevice_str: cpu\n"
    )
    return Path("colours")


def test_an_operator_trains_on_a_folder_by_its_name(
    colours: Path, publish: Callable[..., Path]
) -> None:
    publish(OPERATOR, name="test/small", parameters={"checkpoint_path": {}})
    config = TrainingConfig(output_dir="out", epoch_num=1, tensorboard=None)
    result = pipeline("test/small").train(config, str(colours), colours)
    assert result.trained_on["images"] == 12


@pytest.mark.slow
def test_a_folder_of_images_becomes_a_trained_operator(
    colours: Path, publish: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    publish(OPERATOR, name="test/small", parameters={"checkpoint_path": {}})
    words = ["train", "test/small", "--data", str(colours), "--eval", str(colours)]
    words += ["--config", "train.yaml", "-o", "out"]
    assert main(words) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0].split()[:4] == ["epoch", "step", "loss", "accuracy"]
    assert len(lines) == 6
    assert said.err.splitlines()[-1].endswith("on 12 images, in `out`")
    assert Path("out", "model.safetensors").is_file()

    assert main([*words, "--json", "--quiet"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    report = json.loads(said.out)
    assert list(differences(read_shapes()["train"], report)) == []
    assert report["figures"]["eval_epoch_metric"] == 1.0


def test_what_cannot_be_trained_is_told_before_anything_is_loaded(
    colours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("train.yaml").write_text("epoch_nm: 3\n")
    words = ["train", "test/none", "--data", str(colours), "--config"]
    assert main([*words, "train.yaml"]) == 1
    assert capsys.readouterr().err == (
        "error: `train.yaml` is no configuration of a training\n"
        "  epoch_nm: unknown: did you mean `epoch_num`?\n"
    )
    assert main([*words, "none.yaml"]) == 1
    assert capsys.readouterr().err == (
        "error: `none.yaml` is no configuration of a training\n"
        "  there is no such file\n"
    )


@pytest.mark.slow
def test_the_folder_is_published_by_one_command_and_says_where_it_is_from(
    colours: Path,
    publish: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from plugin_spec import Manifest  # noqa: PLC0415
    from towhee import pipeline  # noqa: PLC0415
    from towhee.data import dataset  # noqa: PLC0415
    from towhee.trainer.training_config import TrainingConfig  # noqa: PLC0415

    options = {"checkpoint_path": {}}
    base = publish(OPERATOR, name="test/small", parameters=options)
    (base / "LICENSE").write_text("Do what you like\n", encoding="utf-8")
    op, images = pipeline("test/small"), dataset(colours)
    config = TrainingConfig().load_from_yaml("train.yaml")
    config.output_dir = "out"
    result = op.train(config, images, images, name="acme/colours")
    (step,) = op.operators
    manifest = Manifest.from_yaml(Path("out", "operator.yaml").read_bytes())
    classes = ["green", "red"]
    data = {"name": "colours", "images": 12, "classes": classes}
    metrics = {
        key.replace("epoch_metric", "Accuracy"): value
        for key, value in result.figures.items()
        if key not in {"epoch", "step", "lr"}
    }
    assert manifest.training == {
        "data": data,
        "evaluated": data,
        "base": {
            "operator": "test/small==1.0.0",
            "revision": step.installed.receipt.revision,
            "model": "small",
            "weights": "sha256:none",
        },
        "metrics": metrics,
    }
    assert metrics["eval_Accuracy"] == 1.0
    card = Path("out", "README.md").read_text(encoding="utf-8")
    assert 'embed = pipeline("acme/colours")\n' in card
    assert 'embed = pipeline("test/small", checkpoint_path="PATH OF' in card
    assert "began with `test/small` 1.0.0, weights `sha256:none`." in card
    assert "| eval_Accuracy | 1 |" in card

    target = f"git+file://{tmp_path / 'colours.git'}"
    subprocess.run(["git", "init", "--quiet", "--bare", target[11:]], check=True)
    # The check runs it where its base is not installed, which the project says where
    # to find.
    venv.create(tmp_path / "elsewhere")
    monkeypatch.setattr(sys, "executable", f"{tmp_path / 'elsewhere/bin/python'}")
    assert main(["publish", "out", "--to", target, "--yes"]) == 0
    assert main(["trust", "add", target]) == 0
    assert main(["install", "acme/colours", "--source", target, "--no-project"]) == 0
    image = np.asarray(Image.open(colours / "red" / "0.png"))
    assert np.array_equal(pipeline("acme/colours")(image), op(image))

    # Trained again, it is the same operator; its version is the author's to raise.
    op.train(config, images)
    again = Manifest.from_yaml(Path("out", "operator.yaml").read_bytes())
    assert (str(again.name), again.version) == ("acme/colours", manifest.version)
