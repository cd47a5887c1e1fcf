"""On small indexes, every combination of versions can be tried: compare with that.

What the rules are is written again here, from docs/resolution.md, in the plainest way.
"""

from __future__ import annotations

import itertools
import random
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hub_client.resolver import ResolutionConflict, UnknownOperator, resolve
from plugin_spec.names import OperatorName
from plugin_spec.requirement import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAMES = ("t/a", "t/b", "t/c", "t/d", "t/e")
VERSIONS = ("1", "2", "3", "3.1rc1")
SPECIFIERS = ("", "==1", "==2", "==3", ">=2", "<2", "<3", "!=2", ">=1,<3", ">3", "<=3")
PYTHON = "3.11.9"
REASONS = ("was yanked", "is a pre-release", "requires Python")
Operators = dict[str, dict[str, dict[str, Any]]]
Chosen = dict[str, str]


class Case(NamedTuple):
    """A question as a person would write it."""

    operators: Operators
    roots: list[str]
    locked: Chosen
    prerelease: bool
    excused: frozenset[tuple[str, str]] = frozenset()
    """Names, and the rules that are not held against them."""

    def resolve(self, memory_index: type[Any]) -> Chosen:
        resolution = resolve(
            [Requirement.parse(root) for root in self.roots],
            memory_index(self.operators),
            python=PYTHON,
            locked={
                OperatorName.parse(name): Version(version)
                for name, version in self.locked.items()
            },
            prerelease=self.prerelease,
        )
        return {str(c.name): str(c.version) for c in resolution.candidates}


requirements = st.lists(
    st.builds(
        lambda n, s: f"{n}{s}", st.sampled_from(NAMES), st.sampled_from(SPECIFIERS)
    ),
    max_size=3,
)
releases = st.fixed_dictionaries(
    {"requires": requirements},
    optional={
        "python": st.sampled_from(("", ">=3.12")),
        "yanked": st.just("wrong"),
    },
)
cases = st.builds(
    Case,
    st.dictionaries(
        st.sampled_from(NAMES),
        st.dictionaries(st.sampled_from(VERSIONS), releases, min_size=1),
        min_size=2,
    ),
    requirements,
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VERSIONS), max_size=2),
    st.booleans(),
)


def random_case(seed: int) -> Case:
    """Crowded: most versions ask for something, so that many questions conflict."""
    chance = random.Random(seed)  # noqa: S311

    def asked(most: int) -> list[str]:
        names = chance.sample(NAMES, chance.randint(0, most))
        return [name + chance.choice(SPECIFIERS) for name in names]

    def release() -> dict[str, Any]:
        body: dict[str, Any] = {"requires": asked(3)}
        if chance.random() < 0.05:
            body["python"] = ">=3.12"
        if chance.random() < 0.05:
            body["yanked"] = "wrong"
        return body

    names = chance.sample(NAMES, chance.randint(3, 5))
    index = {
        name: {
            version: release()
            for version in chance.sample(VERSIONS, chance.randint(1, 4))
        }
        for name in names
    }
    locked = {n: chance.choice(VERSIONS) for n in names if chance.random() < 0.2}
    return Case(index, asked(3), locked, chance.random() < 0.2)


def allowed(case: Case, name: str, version: str) -> bool:
    """Whether no rule is against a version, whatever is chosen beside it."""
    body, roots = (
        case.operators[name],
        [r for r in parsed(case.roots) if r.name == name],
    )
    release = body[version]
    finals = [v for v, b in body.items() if "rc" not in v and not b.get("yanked")]
    pinned = any(each.specifier == f"=={version}" for each in roots)
    against = {
        "requires Python": release.get("python") == ">=3.12",
        "was yanked": "yanked" in release and not pinned,
        "is a pre-release": "rc" in version and not case.prerelease and finals,
    }
    return all(
        each.accepts(version)
        for each in parsed(release["requires"])
        if each.name == name
    ) and not any(
        holds for why, holds in against.items() if (name, why) not in case.excused
    )


class Asked(NamedTuple):
    name: str
    specifier: str

    def accepts(self, version: str) -> bool:
        return ACCEPTED[self.specifier, version]


ACCEPTED = {
    (specifier, version): SpecifierSet(specifier).contains(version, prereleases=True)
    for specifier in SPECIFIERS
    for version in VERSIONS
}


def parsed(texts: list[str]) -> list[Asked]:
    return [Asked(text[:3], text[3:]) for text in texts]


def every_answer(case: Case) -> Iterator[Chosen]:
    """Each set of versions that satisfies every requirement, with nothing to spare."""
    asks = {
        (name, version): parsed(release["requires"])
        for name, body in case.operators.items()
        for version, release in body.items()
    }
    roots = parsed(case.roots)
    possible = [
        [None, *(v for v in body if allowed(case, name, v))]
        for name, body in case.operators.items()
    ]
    for versions in itertools.product(*possible):
        chosen = {n: v for n, v in zip(case.operators, versions, strict=True) if v}
        needed = [*roots, *(each for pair in chosen.items() for each in asks[pair])]
        if not all(
            each.name in chosen and each.accepts(chosen[each.name]) for each in needed
        ):
            continue
        if len(outwards(case, chosen)) == len(chosen):
            yield chosen


def outwards(case: Case, chosen: Chosen) -> list[str]:
    """Names as one meets them from the user: ring by ring, each by the alphabet."""
    ring = sorted({each.name for each in parsed(case.roots)})
    met: list[str] = []
    while ring:
        met += ring
        needs = [
            each.name
            for name in ring
            for each in parsed(case.operators[name][chosen[name]]["requires"])
        ]
        ring = sorted(set(needs) - set(met))
    return met


def ranks(case: Case, chosen: Chosen) -> list[int]:
    """How many versions are better than each chosen one; least is best, in order."""

    def goodness(name: str, version: str) -> tuple[bool, Version]:
        return version == case.locked.get(name), Version(version)

    return [
        sum(
            goodness(name, other) > goodness(name, chosen[name])
            for other in case.operators[name]
        )
        for name in outwards(case, chosen)
    ]


def check(memory_index: type[Any], case: Case) -> bool:
    """Compare with every answer there is.

    :returns: whether there is any.
    """
    best = min(every_answer(case), key=lambda chosen: ranks(case, chosen), default=None)
    if best is None:
        with pytest.raises((ResolutionConflict, UnknownOperator)) as caught:
            case.resolve(memory_index)
        check_that_all_is_needed(case, str(caught.value))
    else:
        assert case.resolve(memory_index) == best
    return best is not None


def check_that_all_is_needed(case: Case, message: str) -> None:
    """What a message names has no answer, and each part left out, it has one."""
    named = re.findall(
        r"(\S+)(?: (?:\d\S*|and|…))* requires? `(t/[^`]+)`$", message, re.MULTILINE
    )
    reasons = re.findall(rf"(t/\w) \d.* ({'|'.join(REASONS)}) ?[^\n]*", message)
    removable = [*named, *reasons]
    # That the user asks for something goes without saying, if that is not the point.
    unsaid = [r for r in case.roots if r in NAMES and re.search(rf"{r}\b", message)]
    if "\n  Because" not in message:
        # Where an operator is unknown, any of the user's requests, and rules.
        unsaid = [root for root in case.roots if root[:3] in message]
        reasons, removable = list(itertools.product(NAMES, REASONS)), named

    def is_minimal(unsaid: tuple[str, ...]) -> bool:
        parts = [*named, *reasons]
        return fails(case, unsaid, parts) and not any(
            fails(case, unsaid, [each for each in parts if each != part])
            for part in removable
        )

    assert any(
        is_minimal(roots)
        for count in range(len(unsaid) + 1)
        for roots in itertools.combinations(unsaid, count)
    ), message


def fails(case: Case, roots: Sequence[str], parts: list[tuple[str, str]]) -> bool:
    """Whether there is no answer to some roots and parts, which are all that counts."""
    operators = {
        name: {
            version: release
            | {
                "requires": [
                    each
                    for each in release["requires"]
                    if each[:3] == name or (name, spelled(each)) in parts
                ]
            }
            for version, release in body.items()
        }
        for name, body in case.operators.items()
    }
    only = case._replace(
        operators=operators,
        roots=[*roots, *(r for r in case.roots if ("you", spelled(r)) in parts)],
        excused=frozenset(itertools.product(NAMES, REASONS)).difference(parts),
    )
    return next(every_answer(only), None) is None


def spelled(requirement: str) -> str:
    return str(Requirement.parse(requirement))


@settings(max_examples=60, deadline=None)
@given(case=cases)
def test_the_best_answer_is_found_exactly_when_there_is_one(
    memory_index: type[Any], case: Case
) -> None:
    check(memory_index, case)


def test_a_thousand_random_indexes_are_resolved_as_by_trying_everything(
    memory_index: type[Any],
) -> None:
    solved = sum(check(memory_index, random_case(seed)) for seed in range(1_000))
    assert 250 < solved < 750
