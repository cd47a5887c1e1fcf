"""On small indexes, every combination of versions can be tried: compare with that."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from hub_client.resolver import ResolutionConflict, UnknownOperator, resolve
from plugin_spec.requirement import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hub_client.resolver import Resolution

NAMES = ("t/a", "t/b", "t/c", "t/d", "t/e")
VERSIONS = ("1", "2", "3")
SPECIFIERS = ("", "==1", "==2", "==3", ">=2", "<2", "<3", "!=2", ">=1,<3", ">3")

requirements = st.lists(
    st.builds(
        lambda n, s: f"{n}{s}", st.sampled_from(NAMES), st.sampled_from(SPECIFIERS)
    ),
    max_size=3,
)
releases = st.fixed_dictionaries(
    {"requires": requirements},
    optional={"python": st.sampled_from(("", ">=3.12"))},
)
indexes = st.dictionaries(
    st.sampled_from(NAMES),
    st.dictionaries(st.sampled_from(VERSIONS), releases, min_size=1),
    min_size=2,
)
Operators = dict[str, dict[str, dict[str, Any]]]


def is_solution(chosen: Mapping[str, str], roots: list[str], index: Operators) -> bool:
    needed = [*roots]
    for name, version in chosen.items():
        if ">=3.12" in index[name][version].get("python", ""):
            return False
        needed += index[name][version]["requires"]
    return all(
        str(each.name) in chosen and each.accepts(Version(chosen[str(each.name)]))
        for each in map(Requirement.parse, needed)
    )


def every_choice(index: Operators) -> Iterator[dict[str, str]]:
    for versions in itertools.product(*([None, *body] for body in index.values())):
        yield {n: v for n, v in zip(index, versions, strict=True) if v is not None}


def found(resolution: Resolution) -> dict[str, str]:
    return {str(c.name): str(c.version) for c in resolution.candidates}


@settings(max_examples=400, deadline=None)
@given(index=indexes, roots=requirements)
def test_a_solution_is_found_exactly_when_there_is_one(
    memory_index: type[Any], index: Operators, roots: list[str]
) -> None:
    exists = any(is_solution(chosen, roots, index) for chosen in every_choice(index))
    parsed = [Requirement.parse(root) for root in roots]
    if exists:
        resolution = resolve(parsed, memory_index(index), python="3.11.9")
        assert is_solution(found(resolution), roots, index)
    else:
        with pytest.raises((ResolutionConflict, UnknownOperator)):
            resolve(parsed, memory_index(index), python="3.11.9")
