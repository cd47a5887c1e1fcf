"""What images of the training looked like goes along with a checkpoint."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest
import skimage.data
from timm_embedding import TimmEmbedding
from timm_embedding.errors import NoDomain

from plugin_spec.domain import Domain, FarFromTraining, image_statistics

if TYPE_CHECKING:
    from pathlib import Path

SMALL = {"model_name": "test_resnet", "pretrained": False, "input_size": 64}

pytestmark = pytest.mark.filterwarnings("ignore:test_resnet")


def test_a_checkpoint_keeps_what_was_measured_and_warns_of_other_images(
    tmp_path: Path,
) -> None:
    trained = TimmEmbedding(**SMALL)
    photographs = [skimage.data.chelsea(), skimage.data.coffee(), skimage.data.rocket()]
    batch = [trained.prepare(each) for each in photographs]
    seen = zip(batch, trained.predict(batch), strict=True)
    space = trained.space.fingerprint
    trained.domain = Domain.of([image_statistics(*each) for each in seen], space=space)
    trained.save(tmp_path)

    read = TimmEmbedding(checkpoint_path=str(tmp_path), check_domain=True)
    assert read.watch is not None
    assert read.watch.domain == trained.domain
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read.watch.see(batch, read.predict(batch))
    white = [read.prepare(np.full((64, 64, 3), 255, np.uint8))]
    with pytest.warns(FarFromTraining, match="`test_resnet` .* mean of channel 1"):
        read.watch.see(white, read.predict(white))


def test_nothing_is_watched_unasked_and_nothing_known_is_refused() -> None:
    assert TimmEmbedding(**SMALL).watch is None
    with pytest.raises(NoDomain) as refused:
        TimmEmbedding(**SMALL, check_domain=True)
    assert str(refused.value) == (
        "Nothing says what images `test_resnet` was trained on looked like"
    )
