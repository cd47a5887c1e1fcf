"""Which operators are newer, yanked or changed at their sources."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from hub_client.resolver import UnknownOperator, resolve
from hub_client.sources.silent_hosts import SilentHosts
from plugin_spec.errors import HubError
from plugin_spec.requirement import Requirement
from plugin_spec.spaces import space_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from packaging.version import Version

    from hub_client.candidate import Release
    from hub_client.needs import Need, Needs
    from hub_client.sources.router import SourceRouter
    from plugin_spec.names import OperatorName
    from plugin_spec.spaces import EmbeddingSpace


@dataclass(frozen=True, slots=True)
class Newer:
    """An operator that should become another version."""

    name: OperatorName
    version: Version
    """The one that is here."""
    fitting: Version | None
    """What an upgrade of everything takes; None if it takes no other.
    It may be older, as may the next, if the one here was yanked."""
    newest: Version | None
    """The newest of all; None if everything was yanked."""
    yanked: str | None = None
    """Why the one here was yanked; None if it was not."""
    space: tuple[str, ...] = ()
    """In what the other version's vectors differ, if they do not compare."""
    changed: bool = False
    """Whether its folder has other files of the version here: what it leads to
    may be that same version."""

    def row(self) -> tuple[str, ...]:
        """The finding in the columns of a table."""
        here = f"{self.version}{' (changed)' if self.changed else ''}"
        here = here if self.yanked is None else f"{self.version} (yanked)"
        others = ("-" if v is None else str(v) for v in (self.fitting, self.newest))
        return (str(self.name), here, *others)

    def to_dict(self) -> dict[str, object]:
        """The finding as JSON values."""
        return {
            "name": str(self.name),
            "version": str(self.version),
            "fitting": None if self.fitting is None else str(self.fitting),
            "newest": None if self.newest is None else str(self.newest),
            "yanked": self.yanked,
            "space": list(self.space),
            "changed": self.changed,
        }


def find_newer(
    needs: Needs,
    router: SourceRouter,
    unasked: Callable[[HubError], object],
    *,
    python: Version | str,
    prerelease: bool = False,
) -> tuple[Newer, ...]:
    """Ask the source of each operator what is newer, or instead of the version here.

    Yanked versions are nothing to go to, nor are pre-releases unless one is here
    already, or is asked for.

    :param unasked: told why a source says nothing of an operator.
    :param python: of the interpreter that runs the operators.
    :param prerelease: whether pre-releases compete with final releases.
    """
    roots = [Requirement.parse(each) for each in needs.roots.values()]
    chosen: Mapping[OperatorName, Version] | None = None
    # Of what excludes one another, or is at a source that is silent, each for itself.
    with suppress(HubError):
        resolution = resolve(roots, router, python=python, prerelease=prerelease)
        chosen = {each.name: each.version for each in resolution.candidates}
    early = {each.name for each in roots if each.specifier.prereleases}
    hosts = SilentHosts()
    found = []
    for need in sorted(needs.found.values(), key=lambda each: each.name):
        try:
            spec = router.source_spec(need.name)
            releases = hosts.ask(spec, partial(router.versions, need.name))
            if not releases:
                raise UnknownOperator(need.name, spec)
            changed = _is_changed(need, releases)
            yanked, versions = _instead(
                need,
                releases,
                early=prerelease or need.name in early,
                changed=changed,
            )
            if chosen is None:
                fitting = [each for each in versions if _all_accept(needs, need, each)]
            else:
                fitting = [each for each in versions if each == chosen.get(need.name)]
            if yanked is not None or versions:
                best, newest = (max(each, default=None) for each in (fitting, versions))
                newer = Newer(
                    need.name, need.version, best, newest, yanked, changed=changed
                )
                declared = _Spaces(router, need.name, releases)
                found.append(replace(newer, space=declared.changes(newer)))
        except HubError as error:
            unasked(error)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Spaces:
    """What an operator's manifests say of its vectors."""

    router: SourceRouter
    name: OperatorName
    releases: Sequence[Release]

    def changes(self, newer: Newer) -> tuple[str, ...]:
        """What differs for who goes to the other version."""
        instead = newer.fitting or newer.newest
        return space_changes(self._of(newer.version), self._of(instead))

    def _of(self, version: Version | None) -> EmbeddingSpace | None:
        """The space of a version; None if it is not said, or cannot be read."""
        for each in self.releases:
            if each.version == version:
                with suppress(HubError):
                    return self.router.manifest(self.name, each).space
        return None


def _instead(
    need: Need, releases: Sequence[Release], *, early: bool, changed: bool
) -> tuple[str | None, list[Version]]:
    """Why the version here was yanked, if it was; and what one could go to."""
    yanked = next(
        (each.yanked for each in releases if each.version == need.version), None
    )
    early = early or need.version.is_prerelease
    return yanked, [
        each.version
        for each in releases
        if each.yanked is None
        and (
            yanked is not None
            or each.version > need.version
            or (changed and each.version == need.version)
        )
        and (early or not each.version.is_prerelease)
    ]


def _is_changed(need: Need, releases: Iterable[Release]) -> bool:
    """Whether the version here has other files in its folder now."""
    return need.tree is not None and any(
        each.version == need.version
        and each.revision.startswith("sha256:")  # that of a repository is a commit
        and each.revision != need.tree
        for each in releases
    )


def _all_accept(needs: Needs, need: Need, version: Version) -> bool:
    return all(asked.accepts(version) for asked in _asked(needs, need.name))


def _asked(needs: Needs, name: OperatorName) -> Iterator[Requirement]:
    yield Requirement(name, SpecifierSet())
    if name in needs.roots:
        yield Requirement.parse(needs.roots[name])
    for other in needs.found.values():
        if name in other.operators:
            yield Requirement.parse(other.operators[name])
