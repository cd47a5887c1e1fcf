"""A manifest declares the space of its vectors, whole or not at all."""

from __future__ import annotations

import math
from typing import Any

import pytest

from plugin_spec import EmbeddingSpace, InvalidManifest, Manifest

SPACE: dict[str, Any] = {
    "operator": "image-embedding/timm",
    "model": "resnet50",
    "weights": "sha256:00",
    "preprocessing": {"size": [3, 224, 224], "crop_pct": 0.95, "exact": True},
    "normalisation": "L2",
}


def test_a_declared_space_is_read_and_written_again(example: bytes) -> None:
    assert Manifest.from_yaml(example).space is None
    assert "space" not in Manifest.from_yaml(example).to_dict()
    data = {**Manifest.from_yaml(example).to_dict(), "space": SPACE}
    manifest = Manifest.from_dict(data)
    assert manifest.space == EmbeddingSpace(**SPACE)
    assert manifest.to_dict() == data
    assert Manifest.from_dict(data | {"space": {**SPACE, "recipe": 1}}) == manifest


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        (
            {"model": "a\nb", "recipe": 1.0, "layr": "x"},
            [
                "space.layr: unknown key: did you mean `layer`?",
                "space.model: expected one line of 1 to 500 characters, got 'a\\nb'",
                "space.recipe: expected a whole number, got the number 1.0",
            ],
        ),
        (
            {"preprocessing": {"a": [None], "b": math.nan}},
            [
                "space.preprocessing.a[0]: expected a value, got nothing",
                "space.preprocessing.b: expected a finite number, got nan",
            ],
        ),
        (
            {"preprocessing": {"a": [0] * 200}},
            ["space.preprocessing: expected at most 200 values, got 202"],
        ),
    ],
)
def test_what_is_no_space_is_refused_with_its_place(
    example: bytes, changes: dict[str, Any], problems: list[str]
) -> None:
    data = {**Manifest.from_yaml(example).to_dict(), "space": {**SPACE, **changes}}
    with pytest.raises(InvalidManifest) as caught:
        Manifest.from_dict(data)
    assert sorted(caught.value.problems) == problems


def test_only_vectors_have_a_space(example: bytes) -> None:
    data = {**Manifest.from_yaml(example).to_dict(), "space": SPACE}
    data["outputs"] = [{"name": "image", "type": "image"}]
    with pytest.raises(InvalidManifest) as caught:
        Manifest.from_dict(data)
    assert list(caught.value.problems) == [
        "space: no output is a vector, and only those have a space"
    ]
