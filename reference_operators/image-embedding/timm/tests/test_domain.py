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


def test_who_learned_from_other_images_forgets_what_those_before_looked_like(
    tmp_path: Path,
) -> None:
    first = TimmEmbedding(**SMALL)
    images = [
        first.prepare(skimage.data.chelsea()),
        first.prepare(skimage.data.coffee()),
    ]
    seen = zip(images, first.predict(images), strict=True)
    first.domain = Domain.of([image_statistics(*each) for each in seen])
    first.save(tmp_path / "first")
    source = {"checkpoint_path": str(tmp_path / "first"), "check_domain": True}
    again = TimmEmbedding(**source)
    again.adopt(again.trainee(("cat", "dog")))
    assert (again.domain, again.watch) == (None, None)
    again.save(tmp_path / "again")
    read = TimmEmbedding(checkpoint_path=str(tmp_path / "again"))
    assert read.domain is None
    # What another process restores is what was saved.
    copy = TimmEmbedding(**source)
    copy.restore(tmp_path / "first")
    assert copy.domain == first.domain
    assert copy.watch is not None
    copy.restore(tmp_path / "again")
    assert (copy.domain, copy.watch) == (None, None)


def test_nothing_is_watched_unasked_and_nothing_known_is_refused() -> None:
    assert TimmEmbedding(**SMALL).watch is None
    with pytest.raises(NoDomain) as refused:
        TimmEmbedding(**SMALL, check_domain=True)
    assert str(refused.value) == (
        "Nothing says what images `test_resnet` was trained on looked like"
    )
