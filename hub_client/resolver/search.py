"""Look for the best answer, and learn from each conflict what can never be one.

This is how PubGrub and the solvers of propositional logic search: a decision is
followed to all that it leaves impossible, and where nothing is left, what was decided
is joined with why into a nogood that no later decision can meet again. As a nogood only
says what no answer has, the answer is the one that trying everything in order would
find first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub_client.candidate import Candidate
from hub_client.resolver.agenda import Agenda
from hub_client.resolver.choice import Choice, Trail
from hub_client.resolver.constraint import Request, Rule
from hub_client.resolver.nogood import Nogood, resolvent
from hub_client.resolver.outcome import Outcome
from hub_client.resolver.resolution import Rejection

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from hub_client.candidate import Release
    from hub_client.resolver.constraint import Constraint
    from hub_client.resolver.question import Question
    from plugin_spec.names import OperatorName

MAX_CONFLICTS: Final = 5_000


class NoAnswer(Exception):
    """No set of versions will do, and ``nogood``, without parts, follows from why."""

    def __init__(self, nogood: Nogood) -> None:
        super().__init__()
        self.nogood = nogood


class TooManyConflicts(Exception):
    """It takes more conflicts to say than a search may have."""


def search(
    question: Question,
    *,
    among: AbstractSet[Constraint] | None = None,
    max_conflicts: int = MAX_CONFLICTS,
) -> Outcome | None:
    """Look for an answer to ``question``, or to ``among`` of its constraints.

    :param among: requests, and rules with an exception, that count; None for all.
    :returns: None if it takes more than ``max_conflicts`` to say.
    """
    search = Search(question, among, max_conflicts)
    try:
        search.run()
    except NoAnswer as end:
        return search.outcome(None, frozenset(end.nogood.constraints()))
    except TooManyConflicts:
        return None
    return search.outcome(search.chosen, frozenset())


class Search:
    """One search: choices, what is known of them, and the steps taken so far."""

    def __init__(
        self,
        question: Question,
        among: AbstractSet[Constraint] | None,
        max_conflicts: int,
    ) -> None:
        self.question = question
        self.among = among
        self.conflicts_left = max_conflicts
        self.choices: dict[OperatorName, Choice] = {}
        self.chosen: dict[OperatorName, Candidate] = {}
        self.trail = Trail()
        self.requests: dict[Request, Nogood] = {}
        self.ruled_out: dict[tuple[OperatorName, Release], Rejection] = {}
        self.given_up: dict[tuple[OperatorName, Release], Rejection] = {}
        self._known: dict[tuple[OperatorName, int], Candidate | Nogood] = {}
        self._changed: list[Choice] = []
        self._doubtful: list[Nogood] = []
        """Those that grew or are new: what they say may already be at odds."""

    def run(self) -> None:
        """Decide one name after the other, until all agree.

        :raises NoAnswer: if they never do.
        :raises TooManyConflicts: if that is not clear by then.
        """
        roots = [r for r in self.question.roots if self._counts(Request(None, r))]
        for root in roots:
            self._ask(Request(None, root))
        agenda = Agenda((root.name for root in roots), self._needs)
        self._settle()
        while (name := agenda.next(self.trail.level)) is not None:
            self._decide(self._choice(name))
        self.chosen = {name: self.chosen[name] for name in agenda.names}

    def outcome(
        self,
        chosen: Mapping[OperatorName, Candidate] | None,
        proof: AbstractSet[Constraint],
    ) -> Outcome:
        """What was met so far, with how it ended."""
        requests = {
            request: {
                release.version
                for choice, mask in nogood.parts.items()
                if choice.name == request.asker
                for release in choice.picked(mask)
            }
            for request, nogood in self.requests.items()
        }
        return Outcome(
            chosen,
            proof,
            requests,
            tuple(self.ruled_out.values()),
            tuple(self.given_up.values()),
        )

    def _decide(self, choice: Choice) -> None:
        """Take the best version that is open, unless that turns out to be impossible.

        It then no longer is open, or an earlier decision was taken back.
        """
        level, best = self.trail.level, choice.best()
        candidate = self._read(choice, best)
        self._settle()
        if candidate and self.trail.level == level and choice.open & best:
            self.chosen[choice.name] = candidate
            self._narrow(choice, best, None)
            self._settle()

    def _read(self, choice: Choice, version: int) -> Candidate | None:
        """One version, and what it asks for; None if a rule is against it."""
        key = choice.name, version
        if key not in self._known:
            self._known[key] = self._rule(choice, version)
        known = self._known[key]
        if isinstance(known, Nogood):
            self._doubtful.append(known)
            return None
        for request in self._requests(known):
            self._ask(request, version)
        return known

    def _rule(self, choice: Choice, version: int) -> Candidate | Nogood:
        release = choice.release(version)
        for rejection in self.question.rules_against(choice.name, release):
            rule = Rule(choice.name, rejection.reason)
            # A rule without a hint has no exception that one could ask for.
            if rejection.hint is None or self._counts(rule):
                self.ruled_out[choice.name, release] = rejection
                nogood = Nogood({choice: version}, rule if rejection.hint else None)
                return self._added(nogood)
        candidate = self.question.candidate(choice.name, release)
        assert isinstance(candidate, Candidate), "a rule would have been against it"
        return candidate

    def _ask(self, request: Request, version: int = 0) -> None:
        """State a request, or that one more version of its asker makes it."""
        asker = self._choice(request.asker) if request.asker else None
        if request not in self.requests:
            wanted = self._choice(request.requirement.name)
            parts = {wanted: self.question.excluded(request)}
            if asker:
                parts[asker] = version
            self.requests[request] = self._added(Nogood(parts, request))
        elif asker:
            self.requests[request].parts[asker] |= version
        self._doubtful.append(self.requests[request])

    def _settle(self) -> None:
        """Follow what is known until it leads no further."""
        while (conflict := self._conflict()) is not None:
            self._learn(conflict)

    def _conflict(self) -> Nogood | None:
        """Follow what is known; a nogood that is met, if it comes to that."""
        while self._doubtful or self._changed:
            if self._doubtful:
                nogoods = [self._doubtful.pop()]
            else:
                changed = self._changed.pop()
                nogoods = [
                    n for n in changed.nogoods if not changed.open & ~n.parts[changed]
                ]
            for nogood in nogoods:
                if self._is_met(nogood):
                    return nogood
        return None

    def _is_met(self, nogood: Nogood) -> bool:
        """Whether all parts are; if one is left, it is narrowed so that it never is."""
        left = None
        for choice, mask in nogood.parts.items():
            if choice.open & ~mask:
                if left or not choice.open & mask:
                    return False
                left = choice
        self._note(nogood)
        if left:
            self._narrow(left, ~nogood.parts[left], nogood)
        return left is None

    def _learn(self, conflict: Nogood) -> None:
        """Take back what led to a conflict, and see that it never does again.

        What was narrowed last is replaced by why, until what remains shows that it
        should have been narrowed some decisions ago: there the search goes on.

        :raises NoAnswer: if that was before the first of them.
        """
        if not self.conflicts_left:
            raise TooManyConflicts
        self.conflicts_left -= 1
        parts, parents = conflict.parts, [conflict]
        since = {choice: choice.within(mask) for choice, mask in parts.items()}
        while parts:
            *earlier, last = sorted(since.values())
            back = max((step.level for step in earlier), default=0)
            if back < last.level or last.cause is None:
                break
            parts = resolvent(parts, last.cause.parts, last.choice)
            parents.append(last.cause)
            for choice in last.cause.parts:
                if parts[choice] == choice.everything:
                    del parts[choice], since[choice]
                else:
                    since[choice] = choice.within(parts[choice])
        else:
            raise NoAnswer(Nogood(parts, parents=tuple(parents)))
        self.trail.take_back(back)
        self._changed.clear()
        self._doubtful.append(self._added(Nogood(parts, parents=tuple(parents))))

    def _note(self, nogood: Nogood) -> None:
        """Keep why versions are given up that ask for what is impossible."""
        if not isinstance(nogood.because, Request):
            return
        name, requirement = nogood.because.asker, nogood.because.requirement
        if name is None:
            return
        asker, wanted = self._choice(name), self._choice(requirement.name)
        if wanted.open & ~nogood.parts.get(wanted, wanted.everything):
            return
        decided = wanted.steps and wanted.steps[-1].cause is None
        rival = self.chosen[wanted.name] if decided else None
        effect = f"excludes {rival}" if rival else "leaves no version of it"
        reason = f"requires `{requirement}`, which {effect}"
        for release in asker.picked(asker.open & nogood.parts[asker]):
            rejection = Rejection(name, release.version, reason)
            self.given_up.setdefault((name, release), rejection)

    def _narrow(self, choice: Choice, mask: int, cause: Nogood | None) -> None:
        self.trail.narrow(choice, mask, cause)
        self._changed.append(choice)

    def _added(self, nogood: Nogood) -> Nogood:
        for choice in nogood.parts:
            choice.nogoods.append(nogood)
        return nogood

    def _choice(self, name: OperatorName) -> Choice:
        if name not in self.choices:
            self.choices[name] = Choice(name, self.question.releases(name))
        return self.choices[name]

    def _counts(self, constraint: Constraint) -> bool:
        return self.among is None or constraint in self.among

    def _needs(self, name: OperatorName) -> list[OperatorName]:
        return [each.requirement.name for each in self._requests(self.chosen[name])]

    def _requests(self, candidate: Candidate) -> list[Request]:
        """What a candidate asks of others, as far as it counts."""
        return list(filter(self._counts, self.question.requests(candidate)))
