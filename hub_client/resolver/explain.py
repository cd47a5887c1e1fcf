"""Turn a failed search into sentences."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

from packaging.version import InvalidVersion, Version

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from resolvelib.structs import RequirementInformation

    from hub_client.candidate import Candidate
    from hub_client.resolver.provider import HubProvider
    from plugin_spec.names import OperatorName
    from plugin_spec.requirement import Requirement

    Causes = Collection[RequirementInformation[Requirement, Candidate]]

_ALIKE: Final = 0.7
_SHOWN: Final = 5


class ResolutionConflict(HubError):
    """No set of versions satisfies every requirement.

    ``clauses`` says who asked for what, and what else stands in the way.
    """

    def __init__(self, clauses: Iterable[str], *, hint: str | None = None) -> None:
        self.clauses = tuple(clauses)
        super().__init__(
            "No set of versions satisfies every requirement\n  Because "
            + "\n  and ".join(self.clauses),
            hint=hint,
        )


class UnknownOperator(HubError, LookupError):
    """A source has no version at all of an operator that is needed."""

    def __init__(
        self,
        name: OperatorName,
        source: str,
        *,
        clauses: Iterable[str] = (),
        nearest: Sequence[OperatorName] = (),
    ) -> None:
        self.name, self.source, self.nearest = name, source, tuple(nearest)
        super().__init__(
            "\n  ".join((f"`{source}` has no operator `{name}`", *clauses)),
            hint=f"Did you mean {_series([f'`{each}`' for each in nearest], 'or')}?"
            if nearest
            else "Check the name, and the source that answers for it",
        )


def explain_failure(causes: Causes, provider: HubProvider) -> HubError:
    """The error that says why ``causes`` cannot all be had, in a fixed order."""
    names = sorted({requirement.name for requirement, _ in causes})
    if not any(map(provider.releases, names)):
        asked = [clause for name in names for clause in _requests(causes, name)]
        return UnknownOperator(
            names[0],
            provider.source_of(names[0]),
            clauses=[each for each in asked if not each.startswith("you ")],
            nearest=nearest_names(names[0], provider.known_names()),
        )
    clauses: list[str] = []
    hints: list[str] = []
    for name in names:
        clauses += _requests(causes, name)
        for clause, hint in _obstacles(causes, name, provider):
            clauses.append(clause)
            hints += [hint] if hint else []
    hints += _ways_on(causes, provider)
    return ResolutionConflict(clauses, hint=hints[0] if hints else None)


def explain_rejection(candidate: Candidate, causes: Causes) -> str:
    """Why the search gave ``candidate`` up, as the predicate of a sentence."""
    requirement = min((r for r, parent in causes if parent is candidate), key=str)
    others = _requests(
        [c for c in causes if c.parent is None or c.parent.name != candidate.name],
        requirement.name,
    )
    return f"requires `{requirement}`, and " + next(
        iter(others), "no version of that will do"
    )


def nearest_names(
    name: OperatorName, known: Iterable[OperatorName]
) -> list[OperatorName]:
    """Up to three names like ``name``, the likest first.

    A forgotten or wrong namespace counts little: the second part may match alone.
    """

    def likeness(other: OperatorName) -> float:
        return max(
            SequenceMatcher(None, str(name), str(other)).ratio(),
            SequenceMatcher(None, name.name, other.name).ratio(),
        )

    alike = sorted((-likeness(other), other) for other in set(known) - {name})
    return [other for score, other in alike if -score >= _ALIKE][:3]


def _requests(causes: Causes, name: OperatorName) -> list[str]:
    """Who asks for which versions of ``name``: the user first, then by name."""
    askers: dict[tuple[str, str], set[Version]] = {}
    for requirement, parent in causes:
        if requirement.name == name:
            key = (str(parent.name) if parent else "", str(requirement))
            askers.setdefault(key, set()).update({parent.version} if parent else ())
    return [
        f"{_versions(asker, versions)} requires `{requirement}`"
        if asker
        else f"you require `{requirement}`"
        for (asker, requirement), versions in sorted(askers.items())
    ]


def _obstacles(
    causes: Causes, name: OperatorName, provider: HubProvider
) -> Iterator[tuple[str, str | None]]:
    """Why no version of ``name`` answers the requests, each with a way on."""
    requests: dict[OperatorName | None, list[Requirement]] = {}
    for requirement, parent in causes:
        if requirement.name == name:
            asker = parent.name if parent else None
            requests.setdefault(asker, []).append(requirement)

    def wanted(version: Version) -> bool:
        # Requests of one asker come from different versions of it: alternatives.
        return all(any(r.accepts(version) for r in some) for some in requests.values())

    releases = provider.releases(name)
    reasons: dict[tuple[str, str | None], set[Version]] = {}
    for rejection in provider.rejections():
        if rejection.name == name and wanted(rejection.version):
            key = rejection.reason, rejection.hint
            reasons.setdefault(key, set()).add(rejection.version)
    for (reason, hint), versions in reasons.items():
        yield f"{_versions(name, versions)} {reason}", hint
    if not releases:
        yield f"`{provider.source_of(name)}` has no operator `{name}`", None
    elif not reasons and any(map(wanted, _boundaries(requests.values()))):
        has = _series(_elided({release.version for release in releases}), "and")
        yield f"`{provider.source_of(name)}` has only {name} {has}", None


def _boundaries(requests: Iterable[Iterable[Requirement]]) -> Iterator[Version]:
    """Versions at which one of the specifiers may begin or end.

    If none of these answers every request, then the requests exclude one another, and
    what versions exist does not matter.
    """
    for specifier in (s for some in requests for r in some for s in r.specifier):
        text = specifier.version.removesuffix(".*")
        for version in (text, f"{text}.post0", f"{text}.dev0"):
            try:
                yield Version(version)
            except InvalidVersion:
                continue


def _ways_on(causes: Causes, provider: HubProvider) -> Iterator[str]:
    """What the user can do when no rule but the requests themselves disagree."""
    askers = sorted({parent.name for _, parent in causes if parent})
    own = sorted(str(requirement) for requirement, parent in causes if parent is None)
    if own:
        yield f"Loosen `{own[0]}`"
    if len(askers) > 1:
        roots = {root.name for root in provider.roots}
        yield from (
            f"Install `{asker}` in an environment of its own"
            for asker in askers
            if asker in roots
        )
    elif askers:
        yield f"Ask for another version of `{askers[0]}`, or tell its publisher"


def _versions(name: object, versions: Iterable[Version]) -> str:
    """The subject of a singular sentence about one or several versions.

    >>> _versions("a/b", {Version("1"), Version("2")})
    'each of a/b 2 and 1'
    """
    shown = _elided(versions)
    return f"{'each of ' if len(shown) > 1 else ''}{name} {_series(shown, 'and')}"


def _elided(versions: Iterable[Version]) -> list[str]:
    """Newest first; of many, the newest three and the oldest."""
    newest = [str(version) for version in sorted(versions, reverse=True)]
    return newest if len(newest) <= _SHOWN else [*newest[:3], "…", newest[-1]]


def _series(words: Sequence[str], conjunction: str) -> str:
    """Words as a sentence lists them.

    >>> _series(["1.0", "1.1", "2.0"], "or")
    '1.0, 1.1 or 2.0'
    """
    *most, last = words
    return f"{', '.join(most)} {conjunction} {last}" if most else last
