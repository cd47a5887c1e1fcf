"""Which operators have newer versions at their sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from plugin_spec.requirement import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.version import Version

    from hub_client.needs import Need, Needs
    from hub_client.sources.router import SourceRouter
    from plugin_spec.names import OperatorName


@dataclass(frozen=True, slots=True)
class Newer:
    """An operator of which there is a newer version."""

    name: OperatorName
    version: Version
    """The one that is here."""
    fitting: Version | None
    """The newest that all who ask for it accept; None if that is the one here."""
    newest: Version

    @property
    def fitting_text(self) -> str:
        """The fitting version for people."""
        return "-" if self.fitting is None else str(self.fitting)

    def to_dict(self) -> dict[str, str | None]:
        """The finding as JSON values."""
        return {
            "name": str(self.name),
            "version": str(self.version),
            "fitting": None if self.fitting is None else str(self.fitting),
            "newest": str(self.newest),
        }


def find_newer(needs: Needs, router: SourceRouter) -> tuple[Newer, ...]:
    """Ask the source of each operator; withdrawn versions and pre-releases are left.

    A pre-release counts where one is here already.
    """
    found = []
    for need in needs.found.values():
        versions = [
            release.version
            for release in router.versions(need.name)
            if release.yanked is None
            and release.version > need.version
            and (need.version.is_prerelease or not release.version.is_prerelease)
        ]
        if versions:
            fitting = [each for each in versions if _all_accept(needs, need, each)]
            newest = max(versions)
            best = max(fitting, default=None)
            found.append(Newer(need.name, need.version, best, newest))
    return tuple(sorted(found, key=lambda each: each.name))


def _all_accept(needs: Needs, need: Need, version: Version) -> bool:
    return all(asked.accepts(version) for asked in _asked(needs, need.name))


def _asked(needs: Needs, name: OperatorName) -> Iterator[Requirement]:
    yield Requirement(name, SpecifierSet())
    if name in needs.roots:
        yield Requirement.parse(needs.roots[name])
    for other in needs.found.values():
        if name in other.operators:
            yield Requirement.parse(other.operators[name])
