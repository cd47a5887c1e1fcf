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
    assert embed.settings() == {"memory_format": ("channels_last", "contiguous")}
    vectors = []
    for order in ("contiguous", "channels_last"):
        embed.configure(memory_format=order)
        vectors.append(embed(PHOTOGRAPH))
    np.testing.assert_allclose(*vectors, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(vectors[1], TimmEmbedding(**SMALL)(PHOTOGRAPH))


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
