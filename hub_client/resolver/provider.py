"""One search for an answer, in the terms that resolvelib asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from resolvelib import AbstractProvider

from hub_client.candidate import Candidate
from hub_client.resolver.constraint import Request, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from packaging.version import Version
    from resolvelib.structs import Matches, RequirementInformation

    from hub_client.candidate import Release
    from hub_client.resolver.constraint import Constraint
    from hub_client.resolver.question import Question
    from hub_client.resolver.resolution import Rejection
    from plugin_spec.names import OperatorName
    from plugin_spec.requirement import Requirement

    Wanted: TypeAlias = Requirement | Candidate
    Cause: TypeAlias = RequirementInformation[Wanted, Candidate]


class HubProvider(AbstractProvider["Wanted", Candidate, "OperatorName"]):
    """Answers resolvelib's questions, and remembers what it answered.

    A chosen candidate requires itself. So a requirement that excludes it later is a
    conflict, which is searched, and never a silent change of what others rest on.
    """

    def __init__(
        self,
        question: Question,
        *,
        urgent: Mapping[OperatorName, int],
        ignored: AbstractSet[Constraint],
    ) -> None:
        self.question = question
        self.roots = tuple(
            root for root in question.roots if Request(None, root) not in ignored
        )
        self.requests: dict[Request, set[Version]] = {
            Request(None, root): set() for root in self.roots
        }
        self.rejected: dict[tuple[OperatorName, Release], Rejection] = {}
        self._urgent = urgent
        self._ignored = ignored

    def identify(self, requirement_or_candidate: Wanted) -> OperatorName:
        """Requirements and candidates of one name are about one choice."""
        return requirement_or_candidate.name

    def get_preference(
        self,
        identifier: OperatorName,
        resolutions: Mapping[OperatorName, Candidate],  # noqa: ARG002  (their names)
        candidates: Mapping[OperatorName, Iterator[Candidate]],  # noqa: ARG002
        information: Mapping[OperatorName, Iterator[Cause]],  # noqa: ARG002
        backtrack_causes: Sequence[Cause],  # noqa: ARG002
    ) -> tuple[int, bool, OperatorName]:
        """What conflicts is decided first, then what the user asked for, by name.

        ``candidates`` stays unread: counting them would read every manifest.
        """
        asked_for = any(root.name == identifier for root in self.roots)
        return self._urgent.get(identifier, 2), not asked_for, identifier

    def find_matches(
        self,
        identifier: OperatorName,
        requirements: Mapping[OperatorName, Iterator[Wanted]],
        incompatibilities: Mapping[OperatorName, Iterator[Candidate]],
    ) -> Matches[Candidate]:
        """Candidates that will do, best first, each read when it is its turn."""
        wanted = tuple(requirements[identifier])
        failed = {candidate.release for candidate in incompatibilities[identifier]}
        releases = [
            release
            for release in self.question.releases(identifier)
            if release not in failed and all(_accepts(each, release) for each in wanted)
        ]
        return lambda: filter(
            None, (self._candidate(identifier, release) for release in releases)
        )

    def is_satisfied_by(self, requirement: Wanted, candidate: Candidate) -> bool:
        """The rules were applied when the candidate was made."""
        return _accepts(requirement, candidate.release)

    def get_dependencies(self, candidate: Candidate) -> Iterator[Wanted]:
        """What the candidate needs, itself included."""
        yield candidate
        for requirement in candidate.manifest.dependencies:
            request = Request(candidate.name, requirement)
            if requirement.name != candidate.name and request not in self._ignored:
                self.requests.setdefault(request, set()).add(candidate.version)
                yield requirement

    def _candidate(self, name: OperatorName, release: Release) -> Candidate | None:
        for rejection in self.question.rules_against(name, release):
            if Rule(name, rejection.reason) not in self._ignored:
                self.rejected[name, release] = rejection
                return None
        candidate = self.question.candidate(name, release)
        return candidate if isinstance(candidate, Candidate) else None


def _accepts(wanted: Wanted, release: Release) -> bool:
    if isinstance(wanted, Candidate):
        return wanted.release == release
    return wanted.accepts(release.version)
