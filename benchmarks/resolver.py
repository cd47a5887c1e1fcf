"""Resolve indexes full of conflicts: this resolver, and a plain provider of resolvelib.

The peer does what pip's provider does: newest first, causes of the last conflict first.
Both are given the same parsed releases, so that only the search is compared.

    python benchmarks/resolver.py [--operators 200] [--rounds 3]
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from measure import in_turn, print_table
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from resolvelib import AbstractProvider, BaseReporter, Resolver
from resolvelib.resolvers import ResolutionImpossible, ResolutionTooDeep

from hub_client.candidate import Release
from hub_client.resolver import ResolutionConflict, resolve
from plugin_spec.manifest import Manifest
from plugin_spec.names import OperatorName
from plugin_spec.requirement import Requirement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Asked = dict[str, dict[str, list[str]]]
MAX_ROUNDS = 200_000
"""As many as pip allows."""


class Index:
    """Releases in memory, parsed before anything is timed."""

    def __init__(self, asked: Asked) -> None:
        self._releases: dict[OperatorName, list[Release]] = {}
        self._manifests: dict[tuple[OperatorName, Release], Manifest] = {}
        for text, body in asked.items():
            name = OperatorName.parse(text)
            self._releases[name] = [Release(Version(v), f"{text} {v}") for v in body]
            for release, requires in zip(
                self._releases[name], body.values(), strict=True
            ):
                self._manifests[name, release] = _manifest(name, release, requires)

    def versions(self, name: OperatorName) -> list[Release]:
        """Every release of ``name``."""
        return self._releases.get(name, [])

    def manifest(self, name: OperatorName, release: Release) -> Manifest:
        """What one release says of itself."""
        return self._manifests[name, release]


def _manifest(name: OperatorName, release: Release, requires: list[str]) -> Manifest:
    return Manifest(
        name=name,
        version=release.version,
        kind="operator",
        summary="",
        license="Apache-2.0",
        module="operator",
        requires_python=SpecifierSet(),
        operators=tuple(map(Requirement.parse, requires)),
        packages=(),
        inputs=(),
        outputs=(),
        parameters={},
        steps=(),
        weights=(),
    )


class Chosen(NamedTuple):
    """A release as the peer chooses it."""

    name: OperatorName
    release: Release


class Plain(AbstractProvider[Requirement, Chosen, OperatorName]):
    """Newest first, and first what took part in the last conflict."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._accepts = cache(Requirement.accepts)

    def identify(self, requirement_or_candidate: Requirement | Chosen) -> OperatorName:
        """Both are of one name."""
        return requirement_or_candidate.name

    def narrow_requirement_selection(
        self,
        identifiers: Iterable[OperatorName],
        resolutions: object,  # noqa: ARG002
        candidates: object,  # noqa: ARG002
        information: object,  # noqa: ARG002
        backtrack_causes: Sequence[Any],
    ) -> Iterable[OperatorName]:
        """What took part in the last conflict, if it is still open."""
        causes = {cause.requirement.name for cause in backtrack_causes}
        causes |= {cause.parent.name for cause in backtrack_causes if cause.parent}
        return [each for each in identifiers if each in causes] or identifiers

    def get_preference(self, identifier: OperatorName, *_: object, **__: object) -> Any:  # noqa: ANN401
        """By name."""
        return identifier

    def find_matches(
        self,
        identifier: OperatorName,
        requirements: Mapping[OperatorName, Iterator[Requirement]],
        incompatibilities: Mapping[OperatorName, Iterator[Chosen]],
    ) -> list[Chosen]:
        """Releases that will do, newest first."""
        wanted = list(requirements[identifier])
        failed = {each.release for each in incompatibilities[identifier]}
        newest_first = sorted(
            self._index.versions(identifier), key=lambda r: r.version, reverse=True
        )
        return [
            Chosen(identifier, release)
            for release in newest_first
            if release not in failed
            and all(self._accepts(each, release.version) for each in wanted)
        ]

    def is_satisfied_by(self, requirement: Requirement, candidate: Chosen) -> bool:
        """Whether a release will do."""
        return self._accepts(requirement, candidate.release.version)

    def get_dependencies(self, candidate: Chosen) -> tuple[Requirement, ...]:
        """What a release needs."""
        return self._index.manifest(*candidate).operators


@dataclass
class Contest:
    """One question, which both answer."""

    index: Index
    roots: list[Requirement]
    ends: dict[str, str] = field(default_factory=dict)

    def resolvelib(self) -> None:
        """The peer answers."""
        resolver = Resolver(Plain(self.index), BaseReporter())
        self.ends["resolvelib"] = "an answer"
        try:
            resolver.resolve(self.roots, MAX_ROUNDS)
        except (ResolutionImpossible, ResolutionTooDeep) as error:
            self.ends["resolvelib"] = type(error).__name__

    def hub(self) -> None:
        """We answer, or explain why nobody can."""
        self.ends["hub"] = "an answer"
        try:
            resolve(self.roots, self.index, python="3.11")
        except ResolutionConflict as error:
            self.ends["hub"] = f"explained in {len(error.clauses)} clauses"


def stepping_back(count: int) -> tuple[Asked, list[str]]:
    """A chain of which every link must step back to its oldest version."""
    return _chain(count), ["chain/n000", "b/base<2"]


def disagreeing(count: int) -> tuple[Asked, list[str]]:
    """A chain whose two ends exclude one another, whatever lies between."""
    return _chain(count), ["chain/n000==3", "b/base<2"]


def _chain(count: int) -> Asked:
    links = {
        f"chain/n{n:03}": {str(v): [f"chain/n{n + 1:03}=={v}"] for v in range(1, 6)}
        for n in range(count - 1)
    }
    last = {str(v): [f"b/base=={v}"] for v in range(1, 6)}
    base: dict[str, list[str]] = {str(v): [] for v in range(1, 6)}
    return links | {f"chain/n{count - 1:03}": last, "b/base": base}


def windows(count: int) -> tuple[Asked, list[str]]:
    """Each version asks for some range of two of the next six operators."""
    chance = random.Random(4)  # noqa: S311  (not a secret)

    def requires(number: int, version: int) -> Iterator[str]:
        further = range(number + 1, min(count, number + 7))
        for other in chance.sample(further, min(2, len(further))):
            bound = max(1, version + chance.randint(-2, 2))
            yield f"w/n{other:03}{chance.choice(('>=', '<=', '!='))}{bound}"

    asked = {
        f"w/n{number:03}": {str(v): list(requires(number, v)) for v in range(1, 9)}
        for number in range(count)
    }
    return asked, ["w/n000", "w/n001<8"]


QUESTIONS: dict[str, Callable[[int], tuple[Asked, list[str]]]] = {
    "every link steps back": stepping_back,
    "no answer": disagreeing,
    "conflicts everywhere": windows,
}


def main() -> None:
    """Print, for each question, the seconds of both and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operators", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for title, question in QUESTIONS.items():
        asked, texts = question(options.operators)
        roots = [Requirement.parse(text) for text in texts]
        contest = Contest(Index(asked), roots)
        alternatives = {"resolvelib": contest.resolvelib, "hub": contest.hub}
        rows = in_turn(alternatives, rounds=options.rounds)
        print_table(f"{title}, {options.operators} operators", rows)
        print(
            "; ".join(f"{who}: {end}" for who, end in contest.ends.items()), end="\n\n"
        )


if __name__ == "__main__":
    main()
