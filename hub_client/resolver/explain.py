"""Turn a failed search into sentences."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

from packaging.version import InvalidVersion, Version

from hub_client.resolver.core import conflict_core
from hub_client.resolver.order import dependencies_first
from hub_client.sources import BUNDLED, GIT, HUGGING_FACE, HUGGING_FACE_AT
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hub_client.resolver.outcome import Outcome
    from hub_client.resolver.question import Question
    from hub_client.resolver.resolution import Rejection
    from plugin_spec.names import OperatorName
    from plugin_spec.requirement import Requirement

_ALIKE: Final = 0.7
_SHOWN: Final = 5


class ResolutionConflict(HubError):
    """No set of versions satisfies every requirement.

    ``clauses`` says who asked for what, and what else stands in the way. Of very many,
    the message tells the first and the last, and a traceback all.
    """

    def __init__(self, clauses: Iterable[str], *, hint: str | None = None) -> None:
        self.clauses = tuple(clauses)
        first, *others = self.clauses
        lines = (f"Because {first}", *(f"and {each}" for each in others))
        title = "No set of versions satisfies every requirement"
        super().__init__("\n  ".join((title, *_ends(lines))), hint=hint)
        if len(_ends(lines)) < len(lines):
            self.add_note("\n  ".join(("All of it:", *lines)))


class ResolutionGivenUp(HubError):
    """There may be an answer, but the search for it took too many steps."""

    def __init__(self) -> None:
        super().__init__(
            "No set of versions was found in the steps that a search may take",
            hint="Ask for fewer operators, or for fewer versions of each",
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
            "\n  ".join((_absent(name, source), *_ends([*clauses]))),
            hint=f"Did you mean {_series([f'`{each}`' for each in nearest], 'or')}?"
            if nearest and not _ships(name, source)
            else _how_to_get(name, source),
        )


def _absent(name: OperatorName, source: str) -> str:
    if _is_repository(source):
        return f"`{source}` has no version of `{name}`: no tag like `v1.0.0`"
    return f"`{source}` has no operator `{name}`"


def _ships(name: OperatorName, source: str) -> bool:
    """Whether it comes with this package, while an index or a folder answers for it."""
    from hub_client.sources.bundled import BundledSource  # noqa: PLC0415  (for errors)

    elsewhere = source != BUNDLED and not _is_repository(source)
    return elsewhere and name in BundledSource().names()


def _how_to_get(name: OperatorName, source: str) -> str:
    if _ships(name, source):
        return (
            "It ships with the hub: to have it from there, write "
            f'`"{name.namespace}/*" = "bundled"` below `sources`'
        )
    if _is_repository(source):
        return "`hub publish` makes that tag: ask its publisher"
    return (
        "Check the name, or say where it is from: "
        f'`"{name.namespace}/*" = "SOURCE"` below `sources`'
    )


def _is_repository(source: str) -> bool:
    """Whether who answers is one repository, which is there."""
    return source.startswith((GIT, HUGGING_FACE, HUGGING_FACE_AT))


def explain_failure(question: Question, outcome: Outcome | None) -> HubError:
    """The error that says, in the fewest clauses, why ``question`` has no answer."""
    if outcome is None:
        return ResolutionGivenUp()
    return _explain(question, conflict_core(question, outcome))


def _explain(question: Question, core: Outcome) -> HubError:
    names = _outwards(core)
    askers = {request.asker for request in core.requests}
    leaves = [name for name in names if name not in askers]
    if leaves and not any(map(question.releases, leaves)):
        return _unknown(question, core, leaves[0])
    clauses: list[str] = []
    hints: list[str] = []
    for name in names:
        clauses += _requests(core, name)
        for clause, hint in _obstacles(question, core, name):
            clauses.append(clause)
            hints += [hint] if hint else []
    hints += _ways_on(core, leaves)
    return ResolutionConflict(clauses, hint=hints[0])


def _outwards(core: Outcome) -> list[OperatorName]:
    """What is asked for, each after what asks for it."""
    needs: dict[OperatorName | None, list[OperatorName]] = {}
    for request in core.requests:
        needs.setdefault(request.asker, []).append(request.requirement.name)
    return dependencies_first(needs[None], lambda name: needs.get(name, ()))[::-1]


def _unknown(question: Question, core: Outcome, name: OperatorName) -> UnknownOperator:
    return UnknownOperator(
        name,
        question.source_of(name),
        clauses=[
            clause
            for each in _outwards(core)
            for clause in _requests(core, each)
            if not clause.startswith("you ")
        ],
        nearest=nearest_names(name, question.known_names()),
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


def _requests(core: Outcome, name: OperatorName) -> list[str]:
    """Who asks for which versions of ``name``: the user first, then by name.

    That the user asks for any version goes without saying.
    """
    requests = sorted(
        (str(request.asker or ""), str(request.requirement), versions)
        for request, versions in core.requests.items()
        if request.requirement.name == name
        and (request.asker or request.requirement.specifier)
    )
    return [
        f"{_versions(asker, versions)} requires `{requirement}`"
        if asker
        else f"you require `{requirement}`"
        for asker, requirement, versions in requests
    ]


def _obstacles(
    question: Question, core: Outcome, name: OperatorName
) -> Iterator[tuple[str, str | None]]:
    """What else is in the way of ``name``, each with a way on if there is one."""
    source, releases = question.source_of(name), question.releases(name)
    if not releases:
        yield _absent(name, source), None
        return
    requests: dict[OperatorName | None, list[Requirement]] = {}
    for each in core.requests:
        if each.requirement.name == name:
            requests.setdefault(each.asker, []).append(each.requirement)

    def wanted(version: Version) -> bool:
        # Requests of one asker come from different versions of it: alternatives.
        return all(any(r.accepts(version) for r in some) for some in requests.values())

    reasons: dict[str, list[Rejection]] = {}
    for rejection in core.ruled_out:
        if rejection.name == name:
            reasons.setdefault(rejection.reason, []).append(rejection)
    for reason, rejections in reasons.items():
        versions = {each.version for each in rejections}
        yield f"{_versions(name, versions)} {reason}", rejections[0].hint
    nothing = not any(wanted(release.version) for release in releases)
    if nothing and any(map(wanted, _boundaries(requests.values()))):
        has = _series(_elided({release.version for release in releases}), "and")
        yield f"`{source}` has only {name} {has}", None


def _boundaries(requests: Iterable[Iterable[Requirement]]) -> Iterator[Version]:
    """Versions at which one of the specifiers may begin or end.

    If none of these answers every request, then the requests exclude one another, and
    what versions exist does not matter.
    """
    yield Version("0")  # of one that has an end alone
    for specifier in (s for some in requests for r in some for s in r.specifier):
        text = specifier.version.removesuffix(".*")
        for version in (text, f"{text}.1", f"{text}.dev0"):
            try:
                yield Version(version)
            except InvalidVersion:
                continue


def _ways_on(core: Outcome, leaves: Sequence[OperatorName]) -> Iterator[str]:
    """What the user can do when no rule but the requests themselves disagree."""
    roots = sorted((r.requirement for r in core.requests if not r.asker), key=str)
    for root in roots:
        if root.name in leaves and root.specifier:
            yield f"Loosen `{root}`"
    for each in core.ruled_out:
        if each.unread_at is not None:
            place = f"See that `{each.name}` is from `{each.unread_at}`"
            yield f"{place}; if it is, tell its publisher"
    if len(roots) > 1:
        yield f"Install `{roots[0].name}` in an environment of its own"
    yield f"Ask for another version of `{roots[0].name}`, or tell its publisher"


def _ends(lines: Sequence[str], *, told: int = 40) -> Sequence[str]:
    """As many lines as a person reads: of more, the first and the last.

    >>> _ends("abcdef", told=2)
    ['a', '… and 4 more in between', 'f']
    """
    if len(lines) <= told + 1:
        return lines
    between = f"… and {len(lines) - told} more in between"
    return [*lines[: told // 2], between, *lines[-(told // 2) :]]


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
