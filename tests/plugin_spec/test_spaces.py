"""What a space is told by, and what stores may say of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plugin_spec.spaces import (
    EmbeddingSpace,
    InvalidSpace,
    SpacesDiffer,
    check_spaces,
)


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


def test_a_message_does_not_grow_with_what_a_store_says() -> None:
    space = EmbeddingSpace("a/b", "m", "sha256:00")
    evil = space.but(preprocessing={str(number): 1 for number in range(10_000)})
    with pytest.raises(SpacesDiffer) as caught:
        check_spaces("photos", held=evil, given=space)
    *_, before, last = str(caught.value).splitlines()
    assert (before, last) == ("  11: 1, none", "  and 9988 more")


words = st.sampled_from(["a", "b"])
spaces = st.builds(
    EmbeddingSpace,
    operator=words,
    model=words,
    weights=words,
    layer=words,
    preprocessing=st.dictionaries(words, st.sampled_from([None, 1, 1.5, "x", (1, 2)])),
    normalisation=st.sampled_from(["none", "L2"]),
    precision=st.sampled_from(["float32", "bfloat16"]),
    joint=st.none() | words,
    tower=st.none() | words,
    origin=words,
)


@settings(max_examples=30)
@given(spaces, spaces)
@example(
    EmbeddingSpace("a", "b", "w", preprocessing={"crop": None}),
    EmbeddingSpace("a", "b", "w"),
)
def test_comparing_has_no_order_and_equal_spaces_have_equal_fingerprints(
    one: EmbeddingSpace, other: EmbeddingSpace
) -> None:
    assert one.compatible_with(one)
    assert one.compatible_with(other) == other.compatible_with(one)
    assert (one == other) == (one.fingerprint == other.fingerprint)
    assert (one == other) == (not one.differences(other))
    assert one.compatible_with(other) == (not one.conflicts(other))
    assert EmbeddingSpace.from_json(json.dumps(one.to_dict())) == one


@settings(max_examples=15)
@given(spaces)
def test_a_tower_without_a_name_is_nobodys_other_tower(space: EmbeddingSpace) -> None:
    unnamed = space.but(joint="j", tower=None)
    named = unnamed.but(tower="image")
    assert not unnamed.compatible_with(named)
    assert named.compatible_with(named.but(tower="text", model="c", preprocessing={}))
    assert not named.compatible_with(named.but(tower="text", joint="k"))


@pytest.mark.parametrize("value", [None, "x", 5, 1.5, True, [1.5], [{}], {}])
def test_no_json_value_makes_reading_a_space_fail_otherwise(value: object) -> None:
    for document in (value, {"operator": value}, {"preprocessing": value}):
        with pytest.raises(InvalidSpace):
            EmbeddingSpace.from_json(json.dumps(document))
