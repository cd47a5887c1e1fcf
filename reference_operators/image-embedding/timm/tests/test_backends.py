"""Faster ways to the same vectors, and how far each of them is from the exact ones."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from timm.data import create_transform, resolve_model_data_config
from timm_embedding import CannotRun, TimmEmbedding

SMALL = {"model_name": "test_resnet", "pretrained": False}
PHOTOGRAPHS = [data.astronaut(), data.coffee(), data.chelsea()[:, :300]]
EXPORTED = [
    "onnxruntime",
    pytest.param("openvino", marks=pytest.mark.slow),
    pytest.param("compiled", marks=pytest.mark.slow),
]


def vectors(embed: TimmEmbedding) -> np.ndarray:
    return np.stack(embed.predict([embed.prepare(image) for image in PHOTOGRAPHS]))


def cosines(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    return (ones * others).sum(1)


@pytest.mark.parametrize("backend", EXPORTED)
@pytest.mark.parametrize(
    "options",
    [
        SMALL,
        pytest.param(
            {
                "model_name": "test_vit",
                "pretrained": False,
                "layer": 1,
                "pooling": "cls",
            },
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_backend_gives_the_vectors_of_eager(
    backend: str, options: dict[str, object]
) -> None:
    embed = TimmEmbedding(**options, backend=backend)
    expected = vectors(TimmEmbedding(**options))
    np.testing.assert_allclose(vectors(embed), expected, rtol=0, atol=1e-5)
    for image, vector in zip(PHOTOGRAPHS, expected, strict=True):
        np.testing.assert_allclose(embed(image), vector, rtol=0, atol=1e-5)
    description = embed.describe()
    assert description["backend"] == backend
    assert description["differences"]["backend"]["cosine"] >= 0.99999
    assert embed.settings() == {}
    embed.close()


def test_exact_vectors_have_no_differences_to_tell() -> None:
    assert TimmEmbedding(**SMALL).describe()["differences"] == {}


@pytest.mark.parametrize(
    "name",
    [
        "test_resnet",
        "test_vit",
        "resnet18",
        "mobilenetv3_small_050",
        "vit_tiny_patch16_224",
    ],
)
def test_what_is_prepared_is_timms_own_bit_for_bit(name: str) -> None:
    embed = TimmEmbedding(model_name=name, pretrained=False)
    model = embed._backend.workload.module.model  # noqa: SLF001
    transform = create_transform(**resolve_model_data_config(model), is_training=False)
    for image in PHOTOGRAPHS:
        expected = transform(Image.fromarray(image))
        prepared = embed.prepare(image)
        assert torch.equal(prepared, expected)
        assert prepared.is_contiguous() == expected.is_contiguous()


@pytest.mark.parametrize("autocast", [False, True])
def test_a_lower_precision_says_what_it_changes(autocast: bool) -> None:
    embed = TimmEmbedding(**SMALL, dtype="bfloat16", autocast=autocast)
    found = embed.describe()["differences"]["backend"]
    assert 0.99 < found["cosine"] < 1
    assert found["centred"] < 1
    exact = vectors(TimmEmbedding(**SMALL))
    assert cosines(vectors(embed), exact).min() > 0.99


@pytest.mark.parametrize("dtype", ["float32", "tf32"])
def test_autocast_without_a_precision_is_refused(dtype: str) -> None:
    with pytest.raises(CannotRun) as caught:
        TimmEmbedding(**SMALL, dtype=dtype, autocast=True)
    assert str(caught.value) == f"There is nothing to cast to: `dtype` is {dtype}"
    assert caught.value.hint == "Give `dtype='bfloat16'` beside `autocast`"


@pytest.mark.parametrize("device", ["cpu,cpu", ["cpu", "cpu", "cpu"]])
def test_several_devices_share_a_batch(device: str | list[str]) -> None:
    embed = TimmEmbedding(**SMALL, device=device)
    expected = vectors(TimmEmbedding(**SMALL))
    np.testing.assert_allclose(vectors(embed), expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(
        vectors(pickle.loads(pickle.dumps(embed))),  # noqa: S301  (our own)
        vectors(embed),
    )
    embed.close()
