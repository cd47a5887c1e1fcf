"""Vectors are timm's own, and only what was asked for changes them."""

from __future__ import annotations

import inspect
import pickle
import random
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from skimage import data
from timm.data import create_transform, resolve_model_data_config
from timm_embedding import (
    ConditionsDiffer,
    TimmEmbedding,
    UnknownLayer,
    UnknownModel,
)

from plugin_spec import Manifest

ROUNDING = 1e-6
PHOTOGRAPHS = [
    data.astronaut(),
    data.coffee(),
    data.chelsea()[:, :100],
    np.ascontiguousarray(data.rocket()[::7, ::7]),
]
SMALL = {"model_name": "test_resnet", "pretrained": False}


def drawn(name: str) -> torch.nn.Module:
    """The model with the random weights that the operator draws."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return timm.create_model(name, pretrained=False).eval()


def recipe(name: str, image: np.ndarray) -> np.ndarray:
    """timm's documented way from an image to its vector."""
    model = drawn(name)
    model.reset_classifier(0)
    conditions = resolve_model_data_config(model)
    transform = create_transform(**conditions, is_training=False)
    with torch.inference_mode():
        vector = model(transform(Image.fromarray(image)).unsqueeze(0))[0]
    return torch.nn.functional.normalize(vector, dim=0).numpy()


@pytest.mark.parametrize(
    "name",
    [
        "test_resnet",
        "test_efficientnet",
        "test_convnext",
        "test_vit",
        "mobilenetv3_small_050",
        "resnet18",
    ],
)
def test_vectors_are_those_of_timms_recipe(name: str) -> None:
    embed = TimmEmbedding(model_name=name, pretrained=False)
    for image in PHOTOGRAPHS:
        vector = embed(image)
        expected = recipe(name, image)
        assert (vector.dtype, vector.shape) == (np.float32, expected.shape)
        np.testing.assert_allclose(vector, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_a_batch_gives_what_its_images_give_alone(name: str) -> None:
    embed = TimmEmbedding(model_name=name, pretrained=False)
    together = embed.predict([embed.prepare(image) for image in PHOTOGRAPHS])
    alone = [embed(image) for image in PHOTOGRAPHS]
    np.testing.assert_allclose(together, alone, rtol=0, atol=ROUNDING)


def test_vectors_have_length_one_unless_asked_otherwise() -> None:
    unit = TimmEmbedding(**SMALL)(PHOTOGRAPHS[0])
    raw = TimmEmbedding(**SMALL, normalize=False)(PHOTOGRAPHS[0])
    assert np.linalg.norm(unit) == pytest.approx(1, abs=ROUNDING)
    assert np.linalg.norm(raw) != pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(raw / np.linalg.norm(raw), unit, atol=ROUNDING)


def test_a_pillow_image_gives_what_its_array_gives() -> None:
    embed = TimmEmbedding(**SMALL)
    image = PHOTOGRAPHS[0].copy()
    np.testing.assert_array_equal(embed(Image.fromarray(image)), embed(image))
    np.testing.assert_array_equal(image, PHOTOGRAPHS[0])


def test_interpolation_changes_the_vector_and_is_warned_of_once() -> None:
    model = {"model_name": "resnet18", "pretrained": False}
    bicubic = TimmEmbedding(**model)(PHOTOGRAPHS[0])
    with pytest.warns(ConditionsDiffer) as caught:
        nearest = TimmEmbedding(**model, interpolation="nearest")(PHOTOGRAPHS[0])
    assert [str(warning.message) for warning in caught] == [
        "resnet18: interpolation is nearest, trained with bicubic"
    ]
    assert Path(caught[0].filename) == Path(__file__)
    # Random weights see less of it than trained ones do; rounding is 1e-6.
    assert np.abs(bicubic - nearest).max() > 100 * ROUNDING


def test_one_warning_names_every_condition_that_differs() -> None:
    with pytest.warns(ConditionsDiffer) as caught:
        embed = TimmEmbedding(
            **SMALL, input_size=96, crop_pct=1.0, mean=[0.0, 0.0, 0.0]
        )
    (warning,) = caught
    assert str(warning.message) == (
        "test_resnet: input_size is (3, 96, 96), trained with (3, 160, 160); "
        "crop_pct is 1.0, trained with 0.95; "
        "mean is (0.0, 0.0, 0.0), trained with (0.5, 0.5, 0.5)"
    )
    assert embed.prepare(PHOTOGRAPHS[0]).shape == (3, 96, 96)


def test_the_models_own_conditions_may_be_named_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TimmEmbedding(
            **SMALL,
            input_size=160,
            interpolation="bilinear",
            crop_pct=0.95,
            mean=[0.5, 0.5, 0.5],
            std=[0.5, 0.5, 0.5],
        )


@pytest.mark.parametrize(
    ("layer", "same"), [("layer2", 2), (-1, "layer4"), (0, "act1")]
)
def test_a_stage_goes_by_name_or_index(layer: str | int, same: str | int) -> None:
    by_layer = TimmEmbedding(**SMALL, layer=layer)(PHOTOGRAPHS[0])
    np.testing.assert_array_equal(
        by_layer, TimmEmbedding(**SMALL, layer=same)(PHOTOGRAPHS[0])
    )


@pytest.mark.parametrize("pooling", ["avg", "max", "cls", "none"])
def test_stages_of_a_transformer_pool_their_tokens(pooling: str) -> None:
    vit = {"model_name": "test_vit", "pretrained": False}
    embed = TimmEmbedding(**vit, layer="blocks.1", pooling=pooling, normalize=False)
    with torch.inference_mode():
        ((spatial, tokens),) = drawn("test_vit").forward_intermediates(
            embed.prepare(PHOTOGRAPHS[0]).unsqueeze(0),
            indices=[1],
            intermediates_only=True,
            return_prefix_tokens=True,
        )
    expected = {
        "avg": spatial.mean((2, 3)),
        "max": spatial.amax((2, 3)),
        "cls": tokens[:, 0],
        "none": spatial.flatten(2).transpose(1, 2).flatten(1),
    }[pooling]
    np.testing.assert_allclose(embed(PHOTOGRAPHS[0]), expected[0], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "pooling", "length"),
    [
        ("test_resnet", "avg", 96),
        ("test_resnet", "max", 96),
        ("test_resnet", "none", 96 * 5 * 5),
        ("test_vit", "avg", 64),
        ("test_vit", "cls", 64),
        ("test_vit", "none", 64 * 10 * 10),
        ("swin_tiny_patch4_window7_224", "max", 768),
    ],
)
def test_penultimate_features_pool_as_asked(
    name: str, pooling: str, length: int
) -> None:
    embed = TimmEmbedding(model_name=name, pretrained=False, pooling=pooling)
    assert embed(PHOTOGRAPHS[0]).shape == (length,)


def test_the_models_own_pooling_by_its_name_changes_nothing() -> None:
    own = TimmEmbedding(**SMALL)(PHOTOGRAPHS[0])
    named = TimmEmbedding(**SMALL, pooling="avg")(PHOTOGRAPHS[0])
    np.testing.assert_allclose(named, own, rtol=0, atol=ROUNDING)


def test_a_class_token_that_comes_in_late_is_not_of_the_stages() -> None:
    name = "cait_xxs24_224"
    assert TimmEmbedding(model_name=name, pretrained=False, layer=3)(
        PHOTOGRAPHS[0]
    ).shape == (192,)
    with pytest.raises(UnknownLayer) as caught:
        TimmEmbedding(model_name=name, pretrained=False, layer=3, pooling="cls")
    assert str(caught.value) == f"{name} gives no class token at its stages"


@pytest.mark.parametrize("name", ["test_resnet", "vit_dlittle_patch16_reg1_gap_256"])
def test_cls_is_refused_where_there_is_no_class_token(name: str) -> None:
    with pytest.raises(UnknownLayer) as caught:
        TimmEmbedding(model_name=name, pretrained=False, pooling="cls")
    assert str(caught.value) == f"{name} gives no class token"
    assert caught.value.hint == "Choose `avg`, `max` or `none`"


@pytest.mark.parametrize("layer", ["layer9", 5, -6])
def test_a_wrong_layer_lists_the_choices(layer: str | int) -> None:
    with pytest.raises(UnknownLayer) as caught:
        TimmEmbedding(**SMALL, layer=layer)
    assert str(caught.value) == f"test_resnet has no layer {layer!r}"
    assert caught.value.hint == (
        "Choose one of `penultimate`, `act1`, `layer1`, `layer2`, `layer3`, "
        "`layer4`, or an index from 0 to 4"
    )


def test_a_wrong_model_name_offers_the_nearest() -> None:
    with pytest.raises(UnknownModel) as caught:
        TimmEmbedding(model_name="resnet5", pretrained=False)
    assert str(caught.value) == "timm has no model `resnet5`"
    assert "`resnet50`" in str(caught.value.hint)


def test_a_wrong_tag_offers_those_that_there_are() -> None:
    with pytest.raises(UnknownModel) as caught:
        TimmEmbedding(model_name="resnet18.a9_in1k")
    assert str(caught.value) == "timm has no `resnet18.a9_in1k`"
    assert "`resnet18.a1_in1k`" in str(caught.value.hint)


def test_random_weights_are_the_same_every_time_and_in_every_thread() -> None:
    def vector(_: int) -> np.ndarray:
        return TimmEmbedding(**SMALL)(PHOTOGRAPHS[0])

    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(vector, range(8))
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_torchs_own_state_stays_as_it_is() -> None:
    def state() -> tuple[object, ...]:
        return (
            torch.get_num_threads(),
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.get_default_dtype(),
            torch.get_rng_state().tolist(),
            random.getstate(),
            np.random.get_state()[1].tolist(),  # noqa: NPY002  (what a user may seed)
        )

    before = state()
    TimmEmbedding(**SMALL)(PHOTOGRAPHS[0])
    assert state() == before


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_lower_precision_is_an_option_and_gives_float32(dtype: str) -> None:
    exact = TimmEmbedding(**SMALL)(PHOTOGRAPHS[0])
    low = TimmEmbedding(**SMALL, dtype=dtype)(PHOTOGRAPHS[0])
    assert low.dtype == np.float32
    assert exact @ low > 0.99


def test_an_instance_can_be_sent_to_another_process() -> None:
    embed = TimmEmbedding(**SMALL)
    copy = pickle.loads(pickle.dumps(embed))  # noqa: S301  (our own)
    np.testing.assert_array_equal(copy(PHOTOGRAPHS[0]), embed(PHOTOGRAPHS[0]))


def test_describe_says_what_decides_the_vectors() -> None:
    embed = TimmEmbedding(**SMALL, layer="layer3", dtype="bfloat16")
    assert embed.describe() == {
        "model": "test_resnet",
        "weights": "random, seed 0",
        "layer": "layer3",
        "pooling": "avg",
        "normalize": True,
        "preprocessing": {
            "input_size": [3, 160, 160],
            "interpolation": "bilinear",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "crop_pct": 0.95,
            "crop_mode": "center",
        },
        "dtype": "bfloat16",
        "autocast": False,
        "backend": "eager",
        "differences": {"backend": embed.describe()["differences"]["backend"]},
        "timm": timm.__version__,
        "torch": torch.__version__,
    }


def test_the_manifest_names_every_option_with_its_default() -> None:
    manifest = Path(__file__).parent.parent / "operator.yaml"
    stated = {
        name: schema["default"]
        for name, schema in Manifest.from_yaml(manifest.read_bytes()).parameters.items()
    }
    options = inspect.signature(TimmEmbedding).parameters
    assert stated == {name: option.default for name, option in options.items()}
