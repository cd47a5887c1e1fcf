"""One model at each of its layers, loaded once."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
import torch
from timm_embedding import TimmEmbedding

from plugin_spec.layered import HasLayers

pytestmark = pytest.mark.filterwarnings("ignore:test_(resnet|vit)")


def small(model: str = "test_resnet", **options: object) -> TimmEmbedding:
    return TimmEmbedding(model_name=model, pretrained=False, **options)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("test_resnet", {"input_size": 64}),
        pytest.param("test_vit", {}, marks=pytest.mark.slow),
        pytest.param("test_vit", {"pooling": "max"}, marks=pytest.mark.slow),
        pytest.param("test_resnet", {"dtype": "bfloat16"}, marks=pytest.mark.slow),
    ],
)
def test_every_layer_gives_what_an_operator_made_for_it_gives(
    model: str, options: dict[str, object]
) -> None:
    usual = small(model, **options)
    assert isinstance(usual, HasLayers)
    batch = [
        usual.prepare(skimage.data.chelsea()),
        usual.prepare(skimage.data.rocket()),
    ]
    names = usual.layer_names()
    assert names[-1] == "penultimate"
    for name in (names[0], names[-2], names[-1]):
        layer, made = usual.at_layer(name), small(model, layer=name, **options)
        np.testing.assert_array_equal(layer.predict(batch), made.predict(batch))
        assert layer.space == made.space
        assert layer.describe() == made.describe()


def test_looking_at_other_layers_changes_nothing() -> None:
    usual = small()
    batch = [usual.prepare(skimage.data.chelsea())]
    before, space = usual.predict(batch), usual.space
    other = usual.at_layer("layer1")
    other.close()
    assert usual.network.model is other.network.model
    np.testing.assert_array_equal(usual.predict(batch), before)
    assert usual.space == space != other.space


def test_what_lies_behind_a_layer_is_not_computed() -> None:
    network = small(layer="layer1").network

    def fail(*_: object) -> None:
        raise AssertionError("layer2 was computed")

    network.model.layer2.register_forward_pre_hook(fail)
    with torch.inference_mode():
        network(torch.zeros(1, 3, 32, 32))
