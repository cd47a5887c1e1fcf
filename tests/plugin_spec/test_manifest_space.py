"""A manifest says of which space its vectors are, and says it whole or not at all."""

from __future__ import annotations

import pytest

from plugin_spec import EmbeddingSpace, InvalidManifest, Manifest

SPACE = EmbeddingSpace(
    "image-embedding/timm",
    "tiny",
    "sha256:00",
    layer="penultimate",
    preprocessing={"mean": [0.5, 1.0], "crop": 1, "mode": {"x": None}},
    recipe=2,
)


def test_a_space_is_read_and_written_again(example: bytes) -> None:
    assert Manifest.from_yaml(example).space is None
    data = {**Manifest.from_yaml(example).to_dict(), "space": SPACE.stated()}
    manifest = Manifest.from_dict(data)
    assert manifest.space == SPACE
    assert manifest.space.fingerprint == SPACE.fingerprint
    assert manifest.to_dict() == data


def test_what_does_not_say_it_is_refused(example: bytes) -> None:
    space = {"operator": 1, "model": "tiny", "preprocessing": {"crop": None}, "x": 1}
    data = {**Manifest.from_yaml(example).to_dict(), "space": space}
    with pytest.raises(InvalidManifest) as caught:
        Manifest.from_dict(data)
    places = sorted(each.partition(":")[0] for each in caught.value.problems)
    assert places == [
        "space.operator",
        "space.preprocessing.crop",
        "space.weights",
        "space.x",
    ]
