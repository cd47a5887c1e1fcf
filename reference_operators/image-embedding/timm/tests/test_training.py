"""What a trainer needs: a copy, what it learned put back, and a folder to keep it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import timm
import torch
from skimage import data
from timm_embedding import TimmEmbedding

if TYPE_CHECKING:
    from pathlib import Path

    from plugin_spec import TrainableOperator, Trainee

PHOTOGRAPH = data.chelsea()
CONDITIONS = {
    "input_size": 32,
    "interpolation": "nearest",
    "crop_pct": 1.0,
    "mean": [0.1, 0.2, 0.3],
    "std": [0.4, 0.5, 0.6],
}
SOURCE = {"model_name": "test_resnet", "pretrained": False}


def small(**options: object) -> TimmEmbedding:
    return TimmEmbedding(**{**SOURCE, "input_size": 32, **options})


def trained(operator: TrainableOperator, classes: tuple[str, ...] = ()) -> Trainee:
    """As if it had learned: every weight of the copy is a little another."""
    trainee = operator.trainee(classes)
    with torch.no_grad():
        for weight in trainee.network.parameters():
            weight.add_(0.01 * torch.randn(weight.shape))
    return trainee


@pytest.fixture(autouse=True)
def _numbers() -> None:
    torch.manual_seed(0)


pytestmark = pytest.mark.filterwarnings("ignore:test_resnet")


def test_training_a_copy_changes_nothing_until_it_is_adopted() -> None:
    operator = small()
    before, origin = operator(PHOTOGRAPH), operator.describe()["weights"]
    trainee = trained(operator)
    np.testing.assert_array_equal(operator(PHOTOGRAPH), before)
    operator.adopt(trainee)
    assert np.abs(operator(PHOTOGRAPH) - before).max() > 1e-3
    assert operator.describe()["weights"] != origin


@pytest.mark.parametrize(
    "taken",
    [
        {},
        {"layer": "layer2"},
        {"pooling": "max", "normalize": False},
        {"model_name": "test_vit", "input_size": None},
    ],
    ids=str,
)
def test_a_saved_folder_gives_the_same_vectors_without_another_option(
    taken: dict[str, object], tmp_path: Path
) -> None:
    operator = small(**taken)
    operator.adopt(trained(operator, ("cat", "dog")))
    operator.save(tmp_path)
    read = TimmEmbedding(checkpoint_path=str(tmp_path))
    np.testing.assert_array_equal(read(PHOTOGRAPH), operator(PHOTOGRAPH))
    assert read.describe() == operator.describe()
    assert read.classes == ("cat", "dog")


def test_a_saved_folder_keeps_the_conditions_of_training(tmp_path: Path) -> None:
    TimmEmbedding(**SOURCE, **CONDITIONS).save(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text())["pretrained_cfg"]
    assert saved.items() >= {**CONDITIONS, "input_size": [3, 32, 32]}.items()
    assert "hf_hub_id" not in saved


def test_timm_itself_classifies_with_a_saved_folder(tmp_path: Path) -> None:
    operator = small()
    trainee = trained(operator, ("cat", "dog", "fish"))
    operator.adopt(trainee)
    operator.save(tmp_path)
    model = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(
            model(images), trainee.head(trainee.network.eval()(images))
        )


@pytest.mark.parametrize("layer", ["penultimate", "layer2"])
def test_training_goes_on_with_the_head_of_the_same_classes(
    layer: str, tmp_path: Path
) -> None:
    operator = small(layer=layer)
    first = trained(operator, ("cat", "dog"))
    operator.adopt(first)
    operator.save(tmp_path)
    read = TimmEmbedding(checkpoint_path=str(tmp_path))
    again, other = read.trainee(("cat", "dog")), read.trainee(("a", "b", "c"))
    torch.testing.assert_close(again.head.weight, first.head.weight)
    assert other.head.weight.shape[0] == 3


def test_an_operator_restores_what_another_saved(tmp_path: Path) -> None:
    one, other = small(), small()
    one.adopt(trained(one))
    one.save(tmp_path)
    other.restore(tmp_path)
    np.testing.assert_array_equal(one(PHOTOGRAPH), other(PHOTOGRAPH))


def test_a_lower_precision_keeps_the_network_in_float32() -> None:
    operator = small(dtype="bfloat16")
    assert {each.dtype for each in operator.network.parameters()} == {torch.float32}
    trainee = trained(operator)
    operator.adopt(trainee)
    for mine, theirs in zip(
        operator.network.parameters(), trainee.network.parameters(), strict=True
    ):
        torch.testing.assert_close(mine, theirs)
    exact = small()
    exact.adopt(trainee)
    assert operator(PHOTOGRAPH) @ exact(PHOTOGRAPH) > 0.99


def test_augmentation_varies_and_evaluation_does_not() -> None:
    operator = small()
    plain = operator.training_transform()
    varied = operator.training_transform({"scale": (0.2, 1.0), "hflip": 0.5})
    assert torch.equal(plain(PHOTOGRAPH), operator.prepare(PHOTOGRAPH))
    assert varied(PHOTOGRAPH).shape == (3, 32, 32)
    assert not torch.equal(varied(PHOTOGRAPH), varied(PHOTOGRAPH))
