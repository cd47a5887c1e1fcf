"""Run resolvelib until it has an answer, or a complete proof that there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from resolvelib import BaseReporter
from resolvelib.resolvers import Resolution as Search
from resolvelib.resolvers import ResolutionImpossible, ResolutionTooDeep

from hub_client.candidate import Candidate
from hub_client.resolver.constraint import Request
from hub_client.resolver.provider import HubProvider
from hub_client.resolver.resolution import Rejection

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from collections.abc import Set as AbstractSet

    from packaging.version import Version
    from resolvelib.resolvers.criterion import Criterion

    from hub_client.resolver.constraint import Constraint
    from hub_client.resolver.provider import Cause, Wanted
    from hub_client.resolver.question import Question
    from plugin_spec.names import OperatorName

MAX_ROUNDS: Final = 5_000


class NewConflict(Exception):
    """A conflict over names that are not decided first."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a search ended, and what it met on the way."""

    chosen: Mapping[OperatorName, Candidate] | None
    """None if no set of versions will do."""
    requests: Mapping[Request, AbstractSet[Version]]
    """Every request that was looked at, with the versions of its asker."""
    disputed: AbstractSet[Request]
    """Those that excluded a candidate."""
    ruled_out: tuple[Rejection, ...]
    """Rejected by a rule, whatever is chosen beside it."""
    given_up: tuple[Rejection, ...]
    """Rejected by the search."""

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """All of them, by name, newest first."""
        every = sorted(
            (*self.ruled_out, *self.given_up), key=lambda r: r.version, reverse=True
        )
        return tuple(sorted(every, key=lambda rejection: rejection.name))


def search(
    question: Question,
    *,
    ignored: AbstractSet[Constraint] = frozenset(),
    max_rounds: int = MAX_ROUNDS,
) -> Outcome | None:
    """Look for an answer to ``question`` without the constraints ``ignored``.

    :returns: None if it takes more than ``max_rounds`` steps to say.

    Each conflict over other names begins the search again, with these decided first.
    So it turns over only what the conflict is about, however much else there is.
    """
    urgent: dict[OperatorName, int] = {}
    while True:
        provider = HubProvider(question, urgent=urgent, ignored=ignored)
        reporter = ConflictReporter(urgent)
        chosen: Mapping[OperatorName, Candidate] | None = None
        try:
            state = CompleteSearch(provider, reporter).resolve(
                provider.roots, max_rounds
            )
            chosen = state.mapping
        except NewConflict:
            continue
        except ResolutionImpossible as failure:
            reporter.note(failure.causes)
        except ResolutionTooDeep:
            return None
        return Outcome(
            chosen,
            provider.requests,
            reporter.disputed,
            tuple(provider.rejected.values()),
            tuple(reporter.given_up.values()),
        )


class CompleteSearch(Search["Wanted", Candidate, "OperatorName"]):
    """The search of resolvelib, which gives up no part that it has not seen.

    resolvelib first tries to skip choices that have to do with no conflict. In 1.2.1
    it cannot always come back from that, and `search` does not need it. The class
    `Resolver` does more after the search, which never ends on some cycles.
    """

    def __init__(self, provider: HubProvider, reporter: ConflictReporter) -> None:
        super().__init__(provider, reporter)
        self._optimistic_backjumping_ratio = 0.0


class ConflictReporter(BaseReporter["Wanted", Candidate, "OperatorName"]):
    """Keeps what conflicted, and begins again when that is new."""

    def __init__(self, urgent: dict[OperatorName, int]) -> None:
        self.disputed: set[Request] = set()
        self.given_up: dict[int, Rejection] = {}
        self._urgent = urgent

    def rejecting_candidate(
        self,
        criterion: Criterion[Wanted, Candidate],
        candidate: Candidate,  # noqa: ARG002  (among the parents of the criterion)
    ) -> None:
        """A dependency of ``candidate`` finds nothing beside what is chosen."""
        self.note(criterion.information)
        if any(isinstance(each, Candidate) for each, _ in criterion.information):
            self._decide_first(criterion.information)

    def resolving_conflicts(self, causes: Collection[Cause]) -> None:
        """What was chosen earlier makes a later choice impossible."""
        self.note(causes)
        self._decide_first(causes)

    def _decide_first(self, causes: Collection[Cause]) -> None:
        known = len(self._urgent)
        for requirement, parent in causes:
            # What asks is chosen before what it asks for: so it is newer.
            if parent is not None and parent is not requirement:
                self._urgent[parent.name] = 0
            self._urgent.setdefault(requirement.name, 1)
        if len(self._urgent) > known:
            raise NewConflict

    def note(self, causes: Collection[Cause]) -> None:
        """Keep each request, and why its asker was given up the first time."""
        chosen = {each.name: each for each, _ in causes if isinstance(each, Candidate)}
        for requirement, parent in causes:
            if isinstance(requirement, Candidate):
                continue
            self.disputed.add(Request(parent.name if parent else None, requirement))
            if parent is not None and id(parent) not in self.given_up:
                rival = chosen.get(requirement.name)
                effect = f"excludes {rival}" if rival else "leaves no version of it"
                reason = f"requires `{requirement}`, which {effect}"
                rejection = Rejection(parent.name, parent.version, reason)
                self.given_up[id(parent)] = rejection
