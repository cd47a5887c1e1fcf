"""What resolving gives: one candidate per operator, and why the others were not it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from packaging.version import Version

from hub_client.resolver.order import dependencies_first

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub_client.candidate import Candidate
    from hub_client.resolver.question import Index
    from plugin_spec.names import OperatorName
    from plugin_spec.requirement import Requirement


class Pin(Protocol):
    """Anything with a version, such as a candidate or a locked operator."""

    @property
    def version(self) -> Version:
        """The version to prefer."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A version that the requirements allow and a rule or the search does not."""

    name: OperatorName
    version: Version
    reason: str
    """The predicate of a sentence about this version: ``is a pre-release``."""
    hint: str | None = None
    """How to have it all the same."""

    def __str__(self) -> str:
        return f"{self.name} {self.version} {self.reason}"


@dataclass(frozen=True, slots=True)
class Resolution:
    """One candidate per operator; together they satisfy every requirement."""

    candidates: tuple[Candidate, ...]
    """Dependencies first; a cycle is entered at its first name."""
    roots: tuple[Requirement, ...]
    rejected: tuple[Rejection, ...] = ()
    """What was looked at and turned down, by name, newest first."""


def resolve(
    requirements: Sequence[Requirement],
    source: Index,
    *,
    python: Version | str,
    locked: Mapping[OperatorName, Pin | Version] | None = None,
    prerelease: bool = False,
) -> Resolution:
    """Choose the newest versions that satisfy ``requirements`` and one another.

    :param python: full version of the interpreter that will run the operators.
    :param locked: versions to prefer to newer ones, as long as they still fit.
    :param prerelease: whether pre-releases compete with final releases.
    :raises UnknownOperator: if the source has no version of an operator at all.
    :raises ResolutionConflict: if no set of versions will do, with who asked for what.
    :raises ResolutionGivenUp: if that takes too many steps to say.
    """
    # resolvelib takes longer to import than `hub --help` takes to print.
    from hub_client.resolver.explain import explain_failure  # noqa: PLC0415
    from hub_client.resolver.question import Question  # noqa: PLC0415
    from hub_client.resolver.search import search  # noqa: PLC0415

    question = Question(
        source,
        tuple(sorted(set(requirements), key=str)),
        Version(str(python)),
        {
            name: pin if isinstance(pin, Version) else pin.version
            for name, pin in (locked or {}).items()
        },
        prerelease,
    )
    outcome = search(question)
    if outcome is None or outcome.chosen is None:
        raise explain_failure(question, outcome)
    chosen = outcome.chosen
    names = dependencies_first(
        (root.name for root in question.roots),
        lambda name: (each.name for each in chosen[name].manifest.dependencies),
    )
    candidates = tuple(chosen[name] for name in names)
    kept = {(candidate.name, candidate.version) for candidate in candidates}
    rejected = [r for r in outcome.rejections if (r.name, r.version) not in kept]
    return Resolution(candidates, tuple(requirements), tuple(rejected))
