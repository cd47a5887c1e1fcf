"""What is shown to be needed for a conflict by a choice that breaks nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_client.resolver.choice import ABSENT
from hub_client.resolver.constraint import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from hub_client.candidate import Candidate
    from hub_client.resolver.constraint import Constraint
    from hub_client.resolver.question import Question
    from plugin_spec.names import OperatorName


class Witnesses:
    """Constraints of a conflict, and the versions that they are about, as masks.

    Only versions that the search has read count: no manifest is read for this.
    """

    def __init__(self, question: Question, conflict: Iterable[Constraint]) -> None:
        self._question = question
        self._about: dict[OperatorName, list[Constraint]] = {}
        for constraint in conflict:
            for name in _names(constraint):
                self._about.setdefault(name, []).append(constraint)
        self._read = dict.fromkeys(self._about, ABSENT)
        self._versions: dict[Constraint, int] = {}
        """Those that make a request, or that a rule is against."""
        for name in self._about:
            for bit, candidate in question.read(name):
                self._add(bit, candidate)

    def needed(
        self,
        constraint: Constraint,
        answer: Iterable[Candidate],
        among: AbstractSet[Constraint],
    ) -> set[Constraint]:
        """Some of ``among``, without each of which the others have an answer.

        :param answer: to all but ``constraint``. Where another version of one name
            breaks another one alone, that is an answer to all but this, and so on.
        """
        found = {constraint}
        waiting = [(constraint, self._chosen(answer))]
        while waiting:
            broken, chosen = waiting.pop()
            for name in _names(broken):
                for one, version in self._broken_alone(name, chosen, among):
                    if one not in found:
                        found.add(one)
                        waiting.append((one, {**chosen, name: version}))
        return found

    def _broken_alone(
        self,
        name: OperatorName,
        chosen: Mapping[OperatorName, int],
        among: AbstractSet[Constraint],
    ) -> Iterator[tuple[Constraint, int]]:
        """What is about ``name``, each with a version of it that breaks no other."""
        broken = {
            each: self._breaking(each, name, chosen)
            for each in self._about[name]
            if each in among
        }
        once = twice = 0
        for mask in broken.values():
            once, twice = once | mask, twice | once & mask
        for each, mask in broken.items():
            alone = mask & ~twice & self._read[name]
            if alone:
                yield each, alone & -alone

    def _breaking(
        self,
        constraint: Constraint,
        name: OperatorName,
        chosen: Mapping[OperatorName, int],
    ) -> int:
        """The versions of ``name`` with which a constraint is broken."""
        versions = self._versions.get(constraint, 0)
        if isinstance(constraint, Rule):
            return versions
        asker, wanted = constraint.asker, constraint.requirement.name
        excluded = self._question.excluded(constraint)
        if name == asker:
            return versions if chosen.get(wanted, ABSENT) & excluded else 0
        asked = asker is None or chosen.get(asker, ABSENT) & versions
        return excluded if asked else 0

    def _chosen(self, answer: Iterable[Candidate]) -> dict[OperatorName, int]:
        chosen: dict[OperatorName, int] = {}
        for candidate in answer:
            if candidate.name in self._about:
                releases = self._question.releases(candidate.name)
                bit = ABSENT << releases.index(candidate.release) + 1
                self._add(bit, candidate)
                chosen[candidate.name] = bit
        return chosen

    def _add(self, bit: int, candidate: Candidate) -> None:
        name = candidate.name
        if self._read[name] & bit:
            return
        self._read[name] |= bit
        rejections = self._question.rules_against(name, candidate.release)
        constraints: tuple[Constraint, ...] = (
            *self._question.requests(candidate),
            *(Rule(name, each.reason) for each in rejections),
        )
        for each in constraints:
            self._versions[each] = self._versions.get(each, 0) | bit


def _names(constraint: Constraint) -> tuple[OperatorName, ...]:
    if isinstance(constraint, Rule):
        return (constraint.name,)
    wanted = constraint.requirement.name
    return (constraint.asker, wanted) if constraint.asker else (wanted,)
