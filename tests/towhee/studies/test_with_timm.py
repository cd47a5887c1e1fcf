"""The studies as a user runs them, with timm's small models."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from installation import ROOT

from plugin_spec.domain import FarFromTraining
from towhee.callable_pipeline import pipeline
from towhee.cli import main
from towhee.data import dataset
from towhee.studies.domain import measure_domain
from towhee.trained_weights import trainable_step
from towhee.trainer.training_config import TrainingConfig

if TYPE_CHECKING:
    from collections.abc import Callable

TIMM = "image-embedding/timm"
SMALL = ["--option", "model_name=test_resnet", "--option", "pretrained=false"]

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:test_resnet")]


@pytest.fixture(autouse=True)
def _timm(publish: Callable[..., Path], tmp_path: Path) -> None:
    """The bundled operator in the trusted folder, and 40 images of ten classes."""
    tree = ROOT / "reference_operators" / TIMM
    shutil.copytree(tree, tmp_path / "source" / TIMM / "1.0.0")
    samples = dataset("train", size=40)
    for number, (image, label) in enumerate(samples):
        folder = Path("logos", samples.classes[label])
        folder.mkdir(parents=True, exist_ok=True)
        image.save(folder / f"{number}.png")


def printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    status = main([*words, *SMALL, "--json", "--quiet"])
    return status, json.loads(capsys.readouterr().out)


def test_every_layer_of_a_model_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["layers", TIMM, "--data", "logos", "--neighbours", "3"]
    status, report = printed(words, capsys)
    assert status == 0
    assert [each["layer"] for each in report["results"]][-2:] == [
        "layer4",
        "penultimate",
    ]
    assert report["in_use"] == "penultimate"
    assert max(each["precision"] for each in report["results"]) > report["by_chance"]


def test_the_same_stays_another_layer_does_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["drift", TIMM, TIMM, "--images", "logos"]
    status, report = printed(words, capsys)
    assert (status, report["must_rebuild"], report["differences"]) == (0, False, [])
    assert report["overlaps"][1]["kept"] == 1
    status, report = printed([*words, "--new", "interpolation=nearest"], capsys)
    assert (status, report["differences"]) == (1, ["interpolation: bilinear, nearest"])
    assert report["compatible"] is False
    status, report = printed([*words, "--new", "layer=layer1"], capsys)
    assert (status, report["cosine"]) == (1, None)


def test_a_trained_operator_knows_the_images_of_its_training(tmp_path: Path) -> None:
    op = pipeline(TIMM, model_name="test_resnet", pretrained=False)
    config = TrainingConfig(
        output_dir=str(tmp_path / "out"),
        epoch_num=1,
        device_str="cpu",
        model_checkpoint=None,
        tensorboard=None,
        print_steps=99,
    )
    op.train(config, "logos")
    trained: Any = trainable_step(op.operators).load().operator
    assert trained.domain.images == 40
    assert trained.domain.space == trained.space.fingerprint
    path = str(tmp_path / "out")
    watching = pipeline(TIMM, checkpoint_path=path, check_domain=True)
    with pytest.warns(FarFromTraining):
        watching(np.full((64, 64, 3), 255, np.uint8))


def test_what_is_measured_of_a_training_is_saved_and_watched(tmp_path: Path) -> None:
    op = pipeline(TIMM, model_name="test_resnet", pretrained=False)
    found = measure_domain(op, "logos")
    assert found.images == 40
    op.save(tmp_path / "saved")
    path = str(tmp_path / "saved")
    watching = pipeline(TIMM, checkpoint_path=path, check_domain=True)
    images = [np.asarray(image) for image, _ in dataset("logos")]
    with warnings.catch_warnings():
        warnings.simplefilter("error", FarFromTraining)
        watching(images)
    with pytest.warns(FarFromTraining):
        watching(np.full((64, 64, 3), 255, np.uint8))
