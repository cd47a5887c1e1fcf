"""The fewest constraints that have no answer together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub_client.resolver.constraint import Rule
from hub_client.resolver.search import search

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from hub_client.resolver.constraint import Constraint
    from hub_client.resolver.question import Question
    from hub_client.resolver.search import Outcome

_MAX_ROUNDS: Final = 1_000


def conflict_core(question: Question, outcome: Outcome) -> Outcome:
    """The search that fails for the fewest reasons, from one that failed.

    Every request that it still meets is needed for there to be no answer: each one was
    left out in turn, for good if it made no difference.
    """
    ignored: set[Constraint] = set()
    tried: set[Constraint] = set()
    while new := _constraints(outcome) - tried:
        tried |= new
        # What did not lead to a dispute seldom matters: all of that at once, first.
        aside = new - _leading_to_disputes(outcome)
        if aside and not _has_answer(question, ignored | aside):
            ignored |= aside
        for constraint in sorted(new - ignored, key=_explains):
            if not _has_answer(question, ignored | {constraint}):
                ignored.add(constraint)
        smaller = search(question, ignored=ignored)
        if smaller is None:
            return outcome
        outcome = smaller
    return outcome


def _constraints(outcome: Outcome) -> set[Constraint]:
    # A rule without a hint has no exception that one could ask for.
    rules = {Rule(each.name, each.reason) for each in outcome.ruled_out if each.hint}
    return {*outcome.requests, *rules}


def _leading_to_disputes(outcome: Outcome) -> set[Constraint]:
    """Disputed requests, what asked for their askers, and so on; and the rules."""
    found = set(outcome.disputed)
    asked_for = {request.asker for request in found}
    while more := {
        request
        for request in outcome.requests
        if request.requirement.name in asked_for and request not in found
    }:
        found |= more
        asked_for |= {request.asker for request in more}
    return _constraints(outcome) - (set(outcome.requests) - found)


def _has_answer(question: Question, ignored: AbstractSet[Constraint]) -> bool:
    """Whether there is an answer without ``ignored``; if that is unclear, there is."""
    outcome = search(question, ignored=ignored, max_rounds=_MAX_ROUNDS)
    return outcome is None or outcome.chosen is not None


def _explains(constraint: Constraint) -> tuple[int, str]:
    """What explains little comes first: dependencies, then rules, then the roots."""
    if isinstance(constraint, Rule):
        return 1, f"{constraint.name} {constraint.reason}"
    asker, requirement = constraint
    return (0 if asker else 2), f"{requirement} {asker}"
