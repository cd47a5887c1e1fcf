"""Resolving: a question, a search, and an answer or an explanation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from hub_client.resolver.explain import explain_failure
from hub_client.resolver.order import dependencies_first
from hub_client.resolver.question import Question
from hub_client.resolver.resolution import Pin, Resolution
from hub_client.resolver.search import search

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub_client.resolver.question import Index
    from plugin_spec.names import OperatorName
    from plugin_spec.requirement import Requirement


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
