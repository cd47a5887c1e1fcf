from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_spec import HubError, InvalidName, OperatorName

part = st.from_regex(r"[a-z0-9]{1,6}(-[a-z0-9]{1,6}){0,2}", fullmatch=True)


@given(part, part)
def test_a_name_that_parses_prints_as_it_was_written(namespace: str, name: str) -> None:
    text = f"{namespace}/{name}"
    try:
        parsed = OperatorName.parse(text)
    except InvalidName:
        return
    assert str(parsed) == text
    assert OperatorName.from_attributes(*parsed.attribute_path.split(".")) == parsed


@given(st.text())
def test_any_text_parses_or_is_refused_with_our_own_error(text: str) -> None:
    with contextlib.suppress(HubError):
        OperatorName.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "../x",
        "/etc/passwd",
        "a--b/c",
        "-a/b",
        "a/b-",
        "A/b",
        "a/b/c",
        "a_b/c",
        "a/",
        "/a",
        "",
        " a/b",
        "a/b\n",
        "im\N{CYRILLIC SMALL LETTER A}ge/timm",
        "a/b@1",
    ],
)
def test_a_name_outside_the_alphabet_is_refused(text: str) -> None:
    with pytest.raises(InvalidName) as caught:
        OperatorName.parse(text)
    assert str(caught.value) == f"expected `namespace/name`, got {text!r}"


@pytest.mark.parametrize("text", ["con/x", "acme/nul", "acme/com1", "a" * 65 + "/x"])
def test_a_name_that_some_system_cannot_store_is_refused(text: str) -> None:
    with pytest.raises(InvalidName, match="cannot be a folder name on every system"):
        OperatorName.parse(text)


def test_a_namespace_that_would_hide_a_method_is_refused() -> None:
    with pytest.raises(InvalidName) as caught:
        OperatorName.parse("map/x")
    assert str(caught.value) == "the namespace `map` of 'map/x' is reserved"
    assert caught.value.hint == (
        "`DataCollection.map` is a method; choose another namespace"
    )


def test_a_name_without_a_namespace_is_in_towhee() -> None:
    assert str(OperatorName.parse("search-vectors")) == "towhee/search-vectors"
