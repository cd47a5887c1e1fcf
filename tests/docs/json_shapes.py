"""The shapes that the page on JSON shows, and whether a value has one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docs.reader import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "json.md"


def read_shapes() -> dict[str, Any]:
    """The example of each command, by the command's words."""
    shapes = {}
    for block in blocks(PAGE.read_text(encoding="utf-8")):
        assert block.title is not None
        # A group's commands have two words.
        words = block.title.split()
        groups = {"index", "trust", "cache"}
        names = (
            [f"{words[0]} {each}" for each in words[1:]]
            if words[0] in groups
            else words
        )
        shapes.update(dict.fromkeys(names, json.loads(block.text)))
    return shapes


def differences(shape: Any, value: Any, place: str = "value") -> Iterator[str]:  # noqa: ANN401
    """Where a value is not as the example shows."""
    if shape == "ANY" or (shape == "or null" and value is not ...):
        return
    if isinstance(shape, dict):
        yield from _of_objects(shape, value, place)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{place} is no list"
            return
        for number, each in enumerate(value):
            yield from differences(shape[0], each, f"{place}[{number}]")
    elif _kind(shape) != _kind(value):
        yield f"{place} is {value!r}"


def _of_objects(shape: dict[str, Any], value: Any, place: str) -> Iterator[str]:  # noqa: ANN401
    if not isinstance(value, dict):
        yield f"{place} is no object"
    elif len(shape) == 1 and (name := next(iter(shape))).isupper():
        for key, each in value.items():
            if name != "ANY":
                yield from differences(shape[name], each, f"{place}.{key}")
    else:
        if shape.keys() != value.keys():
            yield f"{place} has the keys {sorted(value)}, not {sorted(shape)}"
        for key in shape.keys() & value.keys():
            yield from differences(shape[key], value[key], f"{place}.{key}")


def _kind(value: object) -> type:
    return (
        float
        if isinstance(value, int) and value is not True and value is not False
        else type(value)
    )
