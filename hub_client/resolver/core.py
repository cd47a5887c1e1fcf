"""The fewest constraints that have no answer together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub_client.resolver.constraint import Rule
from hub_client.resolver.search import search

if TYPE_CHECKING:
    from hub_client.resolver.constraint import Constraint
    from hub_client.resolver.outcome import Outcome
    from hub_client.resolver.question import Question

_MAX_CONFLICTS: Final = 1_000


def conflict_core(question: Question, outcome: Outcome) -> Outcome:
    """The search that fails for the fewest reasons, from one that failed.

    Every request that it still meets is needed for there to be no answer: each one was
    left out in turn, for good if it made no difference.
    """
    needed = outcome.proof
    for constraint in sorted(needed, key=_explains):
        if constraint not in needed:
            continue
        fewer = search(
            question, among=needed - {constraint}, max_conflicts=_MAX_CONFLICTS
        )
        # If that is unclear, it may be needed.
        if fewer is not None and fewer.chosen is None:
            needed = fewer.proof
    return search(question, among=needed) or outcome


def _explains(constraint: Constraint) -> tuple[int, str]:
    """What explains little comes first: dependencies, then rules, then the roots."""
    if isinstance(constraint, Rule):
        return 1, f"{constraint.name} {constraint.reason}"
    asker = constraint.asker
    return (0 if asker else 2), f"{constraint.requirement} {asker}"
