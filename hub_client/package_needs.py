"""Which installed Python package needs which."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from importlib.metadata import PathDistribution
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hub_client.distributions import find_distributions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from hub_client.distributions import Distribution
    from hub_client.environment import Environment


@dataclass(frozen=True, slots=True)
class PackageNeed:
    """A Python package that is here, and what it asks for as far as that is known."""

    name: str
    """Canonical: lower case, single hyphens."""
    version: str
    all: dict[str, str] = field(default_factory=dict)
    """Every requirement by the name of what it asks for."""

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def installed_for(
    asked: Iterable[str], environment: Environment
) -> Mapping[str, PackageNeed]:
    """The packages that an environment has for what is asked of it, by name.

    :param asked: PEP 508 requirements; what their markers exclude does not count.
    """
    here: dict[str, Distribution] = {}
    for each in find_distributions(environment.path):
        here.setdefault(each.name, each)
    found: dict[str, PackageNeed] = {}
    seen: set[tuple[str, str]] = set()
    left = deque(map(Requirement, asked))
    while left:
        requirement = left.popleft()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras}:
            if name in here and (name, extra) not in seen:
                seen.add((name, extra))
                need = PackageNeed(name, here[name].version)
                need = found.setdefault(name, need)
                for inner in _asked(
                    here[name], {**environment.markers, "extra": extra}
                ):
                    need.all[canonicalize_name(inner.name)] = str(inner)
                    left.append(inner)
    return found


def _asked(
    distribution: Distribution, markers: Mapping[str, str]
) -> Iterator[Requirement]:
    requires = PathDistribution(distribution.metadata).requires
    for each in map(Requirement, requires or ()):
        if each.marker is None or each.marker.evaluate(dict(markers)):
            yield each
