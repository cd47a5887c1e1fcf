"""What a model cannot do is said when it is made, not at the first image."""

from __future__ import annotations

import pytest
from timm_embedding import CannotRun, ConditionsDiffer, TimmEmbedding


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
