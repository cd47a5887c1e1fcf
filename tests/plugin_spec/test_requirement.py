from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from plugin_spec import HubError, InvalidRequirement, Requirement


def test_a_requirement_is_a_name_and_a_specifier() -> None:
    requirement = Requirement.parse(" image-embedding/timm >=1, <2 ")
    assert str(requirement) == "image-embedding/timm<2,>=1"
    assert requirement.accepts(Version("1.5"))
    assert not requirement.accepts(Version("2.0"))


def test_the_caret_points_at_the_specifier() -> None:
    with pytest.raises(InvalidRequirement) as caught:
        Requirement.parse("image-embedding/timm>=one")
    assert str(caught.value) == (
        "invalid version specifier\n"
        "    image-embedding/timm>=one\n"
        "                        ^"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "acme/embed --index-url=http://evil",
        "acme/embed @ file:///etc/passwd",
        "acme/embed>=1\n--index-url x",
        "--upload-pack=touch",
    ],
)
def test_what_is_no_requirement_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequirement):
        Requirement.parse(text)


@given(st.text())
def test_any_text_parses_or_is_refused_with_our_own_error(text: str) -> None:
    try:
        requirement = Requirement.parse(text)
    except HubError:
        return
    assert Requirement.parse(str(requirement)) == requirement
