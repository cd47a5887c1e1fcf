"""A manifest says where trained weights are from, and says it whole or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from plugin_spec import InvalidManifest, Manifest

TRAINING: dict[str, Any] = {
    "data": {"name": "cats", "images": 200, "classes": ["lynx", "tiger"]},
    "base": {
        "pipeline": "towhee/image-embedding-tiny==1.0.0",
        "operator": "image-embedding/timm==1.0.0",
        "revision": "9f1c2d3e",
    },
    "metrics": {"eval_Recall@1": 0.9, "eval_epoch_loss": 1},
}


def test_where_weights_are_from_is_read_and_written_again(example: bytes) -> None:
    assert Manifest.from_yaml(example).training == {}
    assert "training" not in Manifest.from_yaml(example).to_dict()
    data = {**Manifest.from_yaml(example).to_dict(), "training": TRAINING}
    manifest = Manifest.from_dict(data)
    assert manifest.training == TRAINING
    assert manifest.to_dict() == data


def test_what_does_not_say_it_is_refused(example: bytes) -> None:
    training = {"data": {"name": "cats", "images": -1}, "base": {}, "metric": 1}
    data = {**Manifest.from_yaml(example).to_dict(), "training": training}
    with pytest.raises(InvalidManifest) as caught:
        Manifest.from_dict(data)
    places = sorted(each.partition(":")[0] for each in caught.value.problems)
    assert places == [
        "training.base.operator",
        "training.data.images",
        "training.metric",
    ]
