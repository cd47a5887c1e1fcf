"""A space is told apart by what changes vectors, and by nothing else."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest
import torch
from timm_embedding import TimmEmbedding

if TYPE_CHECKING:
    from pathlib import Path

SMALL = {"model_name": "test_resnet", "pretrained": False, "input_size": 32}

pytestmark = pytest.mark.filterwarnings("ignore:test_resnet")


def small(**options: object) -> TimmEmbedding:
    return TimmEmbedding(**{**SMALL, **options})


def test_the_space_says_what_decides_a_vector() -> None:
    lines = str(small(interpolation="nearest").space).splitlines()
    said = dict(line.split(maxsplit=1) for line in lines)
    assert len(said.pop("space")) == 12
    assert said.pop("weights").endswith(" (random, seed 0)")
    assert said == {
        "operator": "image-embedding/timm",
        "model": "test_resnet",
        "layer": "penultimate",
        "pooling": "the model's own",
        "input_size": "[3, 32, 32]",
        "interpolation": "nearest",
        "mean": "[0.5, 0.5, 0.5]",
        "std": "[0.5, 0.5, 0.5]",
        "crop_pct": "0.95",
        "crop_mode": "center",
        "colour": "RGB",
        "normalisation": "L2",
        "precision": "float32",
    }


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({"interpolation": "nearest"}, "interpolation: bilinear, nearest"),
        ({"input_size": 48}, "input_size: [3, 32, 32], [3, 48, 48]"),
        ({"crop_pct": 1.0}, "crop_pct: 0.95, 1.0"),
        ({"normalize": False}, "normalisation: L2, none"),
        ({"pooling": "max"}, "pooling: the model's own, max"),
        ({"mean": [0.4, 0.4, 0.4]}, "mean: [0.5, 0.5, 0.5], [0.4, 0.4, 0.4]"),
    ],
    ids=str,
)
def test_another_condition_is_another_space(
    options: dict[str, object], difference: str
) -> None:
    one, other = small().space, small(**options).space
    assert one.differences(other) == (difference,)
    assert not one.compatible_with(other)


def test_one_layer_has_one_space_by_name_and_by_number() -> None:
    named, numbered = small(layer="layer2"), small(layer=2)
    assert named.space == numbered.space
    assert named.space.differences(small().space) == (
        "layer: layer2, penultimate",
        "pooling: avg, the model's own",
    )


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"backend": "onnxruntime"}, marks=pytest.mark.slow),
        {"device": "cpu"},
        {"batch_size": 3},
        {"mean": [0.5, 0.5, 0.5]},
    ],
    ids=str,
)
def test_what_changes_rounding_alone_is_the_same_space(
    options: dict[str, object],
) -> None:
    assert small(**options).space == small().space


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "bfloat16"},
        {"dtype": "bfloat16", "autocast": True},
        pytest.param(
            {"dtype": "bfloat16", "backend": "openvino"}, marks=pytest.mark.slow
        ),
    ],
    ids=str,
)
def test_lower_precision_is_another_space_that_compares(
    options: dict[str, object],
) -> None:
    one, other = small().space, small(**options).space
    assert one != other
    assert [line.partition(":")[0] for line in one.differences(other)] == ["precision"]
    assert one.compatible_with(other)


def test_the_order_of_pixels_in_memory_is_no_part_of_a_space() -> None:
    operator = small()
    space = operator.space
    operator.configure(memory_format="contiguous")
    operator.weights_changed()
    assert operator.space == space


def test_training_makes_a_space_of_its_own_and_saving_keeps_it(tmp_path: Path) -> None:
    operator = small()
    before = operator.space
    trainee = operator.trainee()
    with torch.no_grad():
        next(trainee.network.parameters()).add_(0.01)
    assert operator.space == before
    operator.adopt(trainee)
    trained = operator.space
    (difference,) = before.differences(trained)
    assert difference.startswith("weights: sha256:")
    assert not before.compatible_with(trained)
    operator.save(tmp_path)
    back = TimmEmbedding(checkpoint_path=str(tmp_path)).space
    # The same weights, wherever they are from.
    assert (back, back.fingerprint) == (trained, trained.fingerprint)


def test_a_head_that_was_trained_alone_leaves_the_space() -> None:
    operator = small()
    before = operator.space
    operator.adopt(operator.trainee(("cat", "dog")))
    assert operator.space == before


def test_weights_that_were_changed_in_place_are_hashed_again_once_that_is_said() -> (
    None
):
    operator = small()
    before = operator.space
    with torch.no_grad():
        next(operator.network.parameters()).add_(0.01)
    operator.weights_changed()
    assert not operator.space.compatible_with(before)


def test_the_space_of_a_copy_in_another_process_is_the_same() -> None:
    operator = small()
    copy = pickle.loads(pickle.dumps(operator))  # noqa: S301  (our own bytes)
    assert copy.space == operator.space
