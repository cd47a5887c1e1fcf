"""Who needs whom: operators of a lock, or of an environment, and their packages."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from packaging.requirements import Requirement as PackageRequirement
from packaging.utils import canonicalize_name

from hub_client.package_needs import PackageNeed, installed_for
from plugin_spec.errors import HubError, InvalidName
from plugin_spec.names import OperatorName
from plugin_spec.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.version import Version

    from hub_client.environment import Environment
    from hub_client.lockfile import Lockfile

Name: TypeAlias = "OperatorName | str"
"""Of an operator, or of a Python package: canonical."""
SHOW_ALL: Final = "`hub tree` shows every operator that is"
"""What to do about a name that is not here."""


class NotNeeded(HubError, LookupError):
    """Nothing in a lock or an environment has that name."""


@dataclass(frozen=True, slots=True)
class Need:
    """An operator, and what it asks for in its own words."""

    name: OperatorName
    version: Version
    operators: Mapping[OperatorName, str]
    """The requirement by the name of each operator that it asks for."""
    packages: Mapping[str, str]
    """The same for Python packages, by canonical name."""
    tree: str | None = None
    """The digest of its files, where it is known."""

    @property
    def all(self) -> Mapping[Name, str]:
        """Every requirement by the name of what it asks for."""
        return dict[Name, str]([*self.packages.items(), *self.operators.items()])

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class Needs:
    """Operators that are asked for, and all that follows from that."""

    roots: Mapping[OperatorName, str]
    """What is asked for, by name: the requirement."""
    found: Mapping[OperatorName, Need]
    python: Mapping[str, PackageNeed] = field(default_factory=dict)
    """The Python packages that are here for them."""

    @classmethod
    def of_lock(cls, lock: Lockfile, roots: Mapping[OperatorName, str]) -> Self:
        """What a project asks for, and what its lock pins for that."""
        return cls(
            roots,
            {
                each.name: Need(
                    each.name,
                    each.version,
                    {asked.name: str(asked) for asked in each.requires},
                    _packages(each.packages),
                    each.tree,
                )
                for each in lock.operators
            },
            # A lock does not say which package asks for which.
            {each.name: PackageNeed(each.name, each.version) for each in lock.packages},
        )

    @classmethod
    def of_environment(cls, environment: Environment) -> Self:
        """What is installed; the user asked for those that say so."""
        here = environment.receipts()
        return cls(
            {each.name: str(each.name) for each in here if each.requested},
            {
                each.name: Need(
                    each.name,
                    each.version,
                    {name: str(name) for name in each.dependencies},
                    _packages(each.packages),
                    each.tree,
                )
                for each in here
            },
            installed_for(
                (text for each in here for text in each.packages), environment
            ),
        )

    def tree(self, names: Iterable[str] = ()) -> Iterator[str]:
        """Lines that show what each root brings; what stands above is not repeated.

        :param names: operators to start from; the roots if there are none.
        :raises NotNeeded: for one that is none, with the nearest name.
        """
        shown: set[OperatorName] = set()
        for name in sorted({self._operator(each) for each in names} or self.roots):
            yield from self._branch(name, "", "", shown)

    def below(self, names: Iterable[str]) -> Mapping[OperatorName, Need]:
        """These operators and all that they bring; everything if there are none.

        :raises NotNeeded: as ``tree``.
        """
        reached: set[OperatorName] = set()
        left = [self._operator(each) for each in names]
        if not left:
            return self.found
        while left:
            name = left.pop()
            if name not in reached and (need := self.found.get(name)):
                reached.add(name)
                left += need.operators
        return {name: self.found[name] for name in self.found if name in reached}

    def paths(self, name: str) -> Iterator[tuple[str, ...]]:
        """Chains of sentences from what is asked for to ``name``, shortest first.

        There may be more of them than a machine can hold: take as many as are read.

        :param name: of an operator, or of a Python package.
        :raises NotNeeded: with the nearest name.
        """
        wanted = self._known(name)
        far = self._distances(wanted)
        if reached := [root for root in sorted(self.roots) if root in far]:
            return (
                (f"`{self.roots[root]}` is asked for", *steps)
                for length in range(len(far))
                for root in reached
                for steps in self._steps(root, length, far, ())
            )
        if isinstance(wanted, str) and len(far) == 1:
            version = self.python[wanted].version
            said = f"`{wanted}` {version} is locked, as other Python packages need it"
            return iter([(said,)])
        raise NotNeeded(f"`{wanted}` is here, and nothing asks for it")

    def find(self, name: str) -> Name | None:
        """An operator, or else a Python package, of this name; None if none is here."""
        with suppress(InvalidName):
            if (operator := OperatorName.parse(name)) in self.found:
                return operator
        package = canonicalize_name(name)
        return package if package in self._packages() else None

    def like(self, name: str) -> str:
        """The end of a message that nothing here has this name."""
        return did_you_mean(name, {*map(str, self.found), *self._packages()})

    def _packages(self) -> set[str]:
        asked = (each for need in self.found.values() for each in need.packages)
        return {*asked, *self.python}

    def _known(self, name: str) -> Name:
        if found := self.find(name):
            return found
        raise NotNeeded(f"`{name}` is not needed here{self.like(name)}", hint=SHOW_ALL)

    def _operator(self, name: str) -> OperatorName:
        known = self._known(name)
        if isinstance(known, OperatorName):
            return known
        raise NotNeeded(
            f"`{name}` is a Python package, and no operator",
            hint=f"`hub why {known}` says who needs it",
        )

    def _asked_by(self, name: Name) -> Mapping[Name, str]:
        need = self._need(name)
        return dict(need.all.items()) if need else {}

    def _need(self, name: Name) -> Need | PackageNeed | None:
        return self.python.get(name) if isinstance(name, str) else self.found.get(name)

    def _distances(self, wanted: Name) -> Mapping[Name, int]:
        """How many steps it is to ``wanted``, of each that leads there."""
        here: list[Name] = [*self.found, *self.python]
        above: dict[Name, list[Name]] = {}
        for each in here:
            for name in self._asked_by(each):
                above.setdefault(name, []).append(each)
        far, left = {wanted: 0}, deque([wanted])
        while left:
            name = left.popleft()
            for each in above.get(name, ()):
                if each not in far:
                    far[each] = far[name] + 1
                    left.append(each)
        return far

    def _steps(
        self, at: Name, length: int, far: Mapping[Name, int], above: tuple[Name, ...]
    ) -> Iterator[tuple[str, ...]]:
        """Every way of this length from ``at`` down to what was asked about.

        :param far: as ``_distances`` tells: ways that lead elsewhere are not walked.
        """
        if length == 0:
            yield from [()] if far[at] == 0 else []
            return
        asked = self._asked_by(at)
        for name in sorted(asked, key=str):
            if far.get(name, length) < length and name not in above:
                for steps in self._steps(name, length - 1, far, (*above, at)):
                    yield (f"{self._need(at)} requires `{asked[name]}`", *steps)

    def _branch(
        self, name: OperatorName, first: str, rest: str, shown: set[OperatorName]
    ) -> Iterator[str]:
        need = self.found.get(name)
        if need is None:
            yield f"{first}{name} (missing)"
            return
        inner = sorted(need.operators)
        again = name in shown and bool(inner)
        yield f"{first}{need}{' (shown above)' if again else ''}"
        shown.add(name)
        for number, each in enumerate([] if again else inner, 1):
            last = number == len(inner)
            yield from self._branch(
                each,
                rest + ("└── " if last else "├── "),
                rest + ("    " if last else "│   "),
                shown,
            )


def _packages(texts: Iterable[str]) -> dict[str, str]:
    return {canonicalize_name(PackageRequirement(text).name): text for text in texts}
