"""Who needs whom: operators of a lock, or of an environment, and their packages."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from packaging.requirements import Requirement as PackageRequirement

from plugin_spec.errors import HubError, InvalidName
from plugin_spec.names import OperatorName
from plugin_spec.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.version import Version

    from hub_client.lockfile import Lockfile
    from hub_client.receipt import Receipt


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

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class Needs:
    """Operators that are asked for, and all that follows from that."""

    roots: Mapping[OperatorName, str]
    """What is asked for, by name: the requirement."""
    found: Mapping[OperatorName, Need]

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
                )
                for each in lock.operators
            },
        )

    @classmethod
    def of_receipts(cls, receipts: Iterable[Receipt]) -> Self:
        """What is installed; the user asked for those that say so."""
        here = tuple(receipts)
        return cls(
            {each.name: str(each.name) for each in here if each.requested},
            {
                each.name: Need(
                    each.name,
                    each.version,
                    {name: str(name) for name in each.dependencies},
                    _packages(each.packages),
                )
                for each in here
            },
        )

    def tree(self, names: Iterable[str] = ()) -> Iterator[str]:
        """Lines that show what each root brings; what stands above is not repeated.

        :param names: operators to start from; the roots if there are none.
        :raises NotNeeded: for one that is none, with the nearest name.
        """
        shown: set[OperatorName] = set()
        for name in sorted([self._operator(each) for each in names] or self.roots):
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

        :param name: of an operator, or of a Python package.
        :raises NotNeeded: with the nearest name.
        """
        wanted = self._known(name)
        chains = [
            (f"`{asked}` is asked for", *steps)
            for root, asked in sorted(self.roots.items())
            for steps in self._steps(root, wanted, ())
        ]
        if not chains:
            raise NotNeeded(f"`{wanted}` is here, and nothing asks for it")
        return iter(sorted(chains, key=len))

    def _known(self, name: str) -> OperatorName | str:
        with suppress(InvalidName):
            if (operator := OperatorName.parse(name)) in self.found:
                return operator
        package = _canonical(name)
        packages = {each for need in self.found.values() for each in need.packages}
        if package in packages:
            return package
        known = {*map(str, self.found), *packages}
        raise NotNeeded(f"`{name}` is not needed here{did_you_mean(name, known)}")

    def _operator(self, name: str) -> OperatorName:
        known = self._known(name)
        if isinstance(known, OperatorName):
            return known
        raise NotNeeded(
            f"`{name}` is a Python package, and no operator",
            hint=f"`hub why {name}` says who needs it",
        )

    def _steps(
        self, at: OperatorName, wanted: OperatorName | str, above: tuple[str, ...]
    ) -> Iterator[tuple[str, ...]]:
        """Every way from ``at`` down to ``wanted``, as what requires what."""
        if at == wanted:
            yield ()
        need = self.found.get(at)
        if need is None or str(at) in above:
            return
        if isinstance(wanted, str) and wanted in need.packages:
            yield (f"{need} requires `{need.packages[wanted]}`",)
        for name, asked in sorted(need.operators.items()):
            for steps in self._steps(name, wanted, (*above, str(at))):
                yield (f"{need} requires `{asked}`", *steps)

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
    return {_canonical(PackageRequirement(text).name): text for text in texts}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
