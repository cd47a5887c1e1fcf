"""What a space is told by, and what stores may say of it."""

from __future__ import annotations

import json

import pytest

from plugin_spec.spaces import EmbeddingSpace, InvalidSpace


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ([1], "A space is an object, got `list`"),
        ({"operator": "a/b"}, "A space cannot have the model null"),
        (
            {"operator": 1, "model": "m", "weights": "w"},
            "A space cannot have the operator 1",
        ),
        (
            {"operator": "a", "model": "m", "weights": "w", "layer\x1b[2J": "x"},
            "A space has no field `layer?[2J`",
        ),
        (
            {"operator": "a", "model": "m", "weights": "w", "recipe": True},
            "A space cannot have the recipe true",
        ),
    ],
)
def test_a_description_that_is_none_is_refused(said: object, message: str) -> None:
    with pytest.raises(InvalidSpace) as caught:
        EmbeddingSpace.from_json(json.dumps(said))
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, b"\xff"])
def test_what_is_no_json_says_no_space(text: str | bytes) -> None:
    with pytest.raises(InvalidSpace, match="What says a space is no JSON"):
        EmbeddingSpace.from_json(text)


def test_what_a_store_says_is_told_on_one_line_without_escapes() -> None:
    space = EmbeddingSpace("a/b", "m", "sha256:00")
    evil = space.but(model="x\x1b[31m\n" + "y" * 1000)
    (line,) = space.differences(evil)
    assert line.startswith("model: m, x?[31m?yyy")
    assert len(line) < 100
    assert "\n  " not in str(evil).partition("model")[0]
    assert line.isprintable()
