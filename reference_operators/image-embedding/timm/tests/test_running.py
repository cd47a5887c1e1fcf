"""What a model cannot do is said when it is made, not at the first image."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from skimage import data
from timm_embedding import CannotRun, ConditionsDiffer, TimmEmbedding

from plugin_spec import OutOfMemory

SMALL = {"model_name": "test_resnet", "pretrained": False}
PHOTOGRAPH = data.chelsea()


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(CannotRun, match=r"`test_resnet` cannot run on `banana`"):
        TimmEmbedding(model_name="test_resnet", pretrained=False, device="banana")


def test_a_size_that_a_model_cannot_take_is_refused() -> None:
    with (
        pytest.warns(ConditionsDiffer),
        pytest.raises(CannotRun, match="with 128 x 128 pixels") as caught,
    ):
        TimmEmbedding(
            model_name="vit_tiny_patch16_224", pretrained=False, input_size=128
        )
    assert caught.value.hint == (
        "Leave out `device`, `input_size`, `dtype` or `pooling`"
    )


def test_settings_change_vectors_by_no_more_than_rounding() -> None:
    embed = TimmEmbedding(**SMALL)
    assert embed.settings() == {
        "memory_format": ("channels_last", "contiguous"),
        "batch_norm": ("folded", "kept"),
    }
    usual = TimmEmbedding(**SMALL)(PHOTOGRAPH)
    for order in ("contiguous", "channels_last"):
        for norm in ("kept", "folded"):
            embed.configure(memory_format=order, batch_norm=norm)
            np.testing.assert_allclose(embed(PHOTOGRAPH), usual, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(embed(PHOTOGRAPH), usual)


@pytest.mark.parametrize(
    ("name", "options", "folds"),
    [
        ("test_resnet", {"layer": "layer2"}, True),
        ("test_efficientnet", {}, True),
        pytest.param("mobilenetv3_small_050", {}, True, marks=pytest.mark.slow),
        pytest.param("resnet18", {}, True, marks=pytest.mark.slow),
        pytest.param("tf_efficientnet_b0", {}, True, marks=pytest.mark.slow),
        ("test_convnext", {}, False),
        ("test_vit", {}, False),
        ("test_resnet", {"dtype": "bfloat16"}, False),
    ],
)
def test_normalisations_that_have_learned_are_folded_and_vectors_stay(
    name: str, options: dict[str, object], folds: bool
) -> None:
    embed = TimmEmbedding(model_name=name, pretrained=False, **options)
    first = embed(PHOTOGRAPH)
    trainee = embed.trainee()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for key, values in trainee.network.state_dict().items():
            if key.endswith(("running_mean", "running_var")):
                values.add_(0.01 * torch.rand(values.shape, generator=generator))
    embed.adopt(trainee)
    assert ("batch_norm" in embed.settings()) == folds
    weights, found = embed.space.weights, embed(PHOTOGRAPH)
    embed.configure(batch_norm="kept")
    expected = embed(PHOTOGRAPH)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert np.array_equal(found, expected) != folds
    assert np.abs(found - first).max() > 1e-4 or not folds
    if folds:
        embed.weights_changed()
        assert embed.space.weights == weights


def test_weights_that_are_changed_in_place_are_those_that_embed() -> None:
    embed = TimmEmbedding(**SMALL)
    before = embed(PHOTOGRAPH)
    with torch.no_grad():
        for weight in embed.network.parameters():
            weight.add_(0.01)
    found = embed(PHOTOGRAPH)
    assert np.abs(found - before).max() > 1e-3
    embed.configure(batch_norm="kept")
    np.testing.assert_allclose(found, embed(PHOTOGRAPH), rtol=0, atol=1e-6)


def test_threads_predict_at_once_and_leave_torchs_own_count_alone() -> None:
    embed = TimmEmbedding(**SMALL)
    prepared = embed.prepare(PHOTOGRAPH)
    before = torch.get_num_threads()

    def predict(_: int) -> np.ndarray:
        embed.set_threads(1)
        return embed.predict([prepared])[0]

    with ThreadPoolExecutor(4) as pool:
        vectors = list(pool.map(predict, range(16)))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == before
    embed.set_threads(1)
    vectors.append(embed(PHOTOGRAPH))
    assert torch.get_num_threads() == before
    for vector in vectors[:-1]:
        np.testing.assert_array_equal(vector, vectors[-1])


def test_a_batch_that_does_not_fit_is_out_of_memory() -> None:
    embed = TimmEmbedding(**SMALL)
    # Its rows share one image, so only the batch itself takes memory: a petabyte.
    batch = [torch.zeros(1).expand(3, 1 << 14, 1 << 14)] * (1 << 20)
    with pytest.raises(OutOfMemory) as caught:
        embed.predict(batch)
    assert str(caught.value) == (
        "A batch of 1048576 does not fit in the memory of `cpu`"
    )
    assert embed(PHOTOGRAPH).shape == (96,)
