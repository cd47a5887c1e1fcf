"""The fewest constraints that have no answer together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub_client.resolver.constraint import Rule
from hub_client.resolver.search import search
from hub_client.resolver.witness import Witnesses

if TYPE_CHECKING:
    from hub_client.resolver.constraint import Constraint
    from hub_client.resolver.outcome import Outcome
    from hub_client.resolver.question import Question

_MAX_CONFLICTS: Final = 1_000


def conflict_core(question: Question, outcome: Outcome) -> Outcome:
    """The search that fails for the fewest reasons, from one that failed.

    Every request that it still meets is needed for there to be no answer: each one was
    left out in turn, for good if it made no difference. Most need no search for that:
    one answer to all the others leads to more.
    """
    needed = outcome.proof
    kept: set[Constraint] = set()
    witnesses = Witnesses(question, needed)
    for constraint in sorted(needed, key=_explains):
        if constraint not in needed or constraint in kept:
            continue
        fewer = search(
            question, among=needed - {constraint}, max_conflicts=_MAX_CONFLICTS
        )
        if fewer is None:
            continue  # that is unclear, so it may be needed
        if fewer.chosen is None:
            needed = fewer.proof
        else:
            kept |= witnesses.needed(constraint, fewer.chosen.values(), needed)
    return search(question, among=needed) or outcome


def _explains(constraint: Constraint) -> tuple[int, str]:
    """What explains little comes first: dependencies, then rules, then the roots."""
    if isinstance(constraint, Rule):
        return 1, f"{constraint.name} {constraint.reason}"
    asker = constraint.asker
    return (0 if asker else 2), f"{constraint.requirement} {asker}"
