"""What is told about options before any code of an operator runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from towhee.options import InvalidOptions, checked_options

PARAMETERS = {
    "size": {"type": "integer", "minimum": 1},
    "mode": {"type": "string", "enum": ["fast", "exact"]},
    "layers": {"type": "array", "items": {"type": "string"}},
    "data": {},
}


def test_all_problems_are_told_together() -> None:
    options = {"size": "x", "mod": "fast", "mode": "slow", "zzz": 1, "data": object()}
    with pytest.raises(InvalidOptions) as caught:
        checked_options("test/subject", PARAMETERS, options)
    assert str(caught.value) == (
        "`test/subject` does not take these options\n"
        "  size: 'x' is not of type 'integer'\n"
        "  mod: unknown: did you mean `mode`?\n"
        "  mode: 'slow' is not one of ['fast', 'exact']\n"
        "  zzz: unknown"
    )
    assert caught.value.hint == "Its options are: `size`, `mode`, `layers`, `data`"


def test_an_operator_without_options_says_so() -> None:
    with pytest.raises(InvalidOptions) as caught:
        checked_options("test/subject", {}, {"size": 1})
    assert caught.value.hint == "Its options are: none"


def test_any_object_passes_where_the_schema_is_empty() -> None:
    rows = iter([1])
    assert checked_options("a/b", PARAMETERS, {"data": rows}) == {"data": rows}


def test_a_path_is_text_and_a_tuple_is_an_array() -> None:
    options = {"layers": ("a", "b"), "mode": Path("fast")}
    assert checked_options("a/b", PARAMETERS, options) == {**options, "mode": "fast"}
