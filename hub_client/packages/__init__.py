"""Python packages: what operators need, what to add for them, and who adds it.

The modules of this package are the only ones that start uv or pip.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from packaging.requirements import Requirement as PackageRequirement
    from packaging.specifiers import SpecifierSet

    from hub_client.environment import Environment
    from hub_client.lockfile import LockedPackage
    from plugin_spec.names import OperatorName

    Requests = Mapping[OperatorName, Sequence[PackageRequirement]]


SEEDED: Final = frozenset({"pip", "setuptools", "wheel"})
"""Tools that ``venv`` puts into an environment: nobody chose their versions, so an
operator that needs newer ones gets them unasked. Kept, they would hold back torch."""


@dataclass(frozen=True, slots=True)
class PinnedPackage:
    """A Python package at one version, and the hashes its file may have."""

    name: str
    """Canonical: lower case, single hyphens."""
    version: str
    hashes: tuple[str, ...]
    """``sha256:…`` of each file that may be installed."""

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class PackageChange:
    """An installed Python package that would become another version."""

    pin: PinnedPackage
    installed: str

    def __str__(self) -> str:
        return f"{self.pin.name} {self.installed} to {self.pin.version}"


@dataclass(frozen=True, slots=True)
class PackagePlan:
    """What an environment lacks; empty if it has everything."""

    add: tuple[PinnedPackage, ...] = ()
    change: tuple[PackageChange, ...] = ()

    @property
    def guarded(self) -> tuple[PackageChange, ...]:
        """The changes that the user has to allow."""
        return tuple(each for each in self.change if each.pin.name not in SEEDED)

    @property
    def pins(self) -> tuple[PinnedPackage, ...]:
        """Everything that has to be installed."""
        return (*self.add, *(change.pin for change in self.change))


class PackageConflict(HubError):
    """Python packages that operators ask for exclude one another.

    ``operators`` are those that asked; ``sdists`` are packages that could be built.
    """

    def __init__(
        self,
        requests: Requests,
        reason: str,
        *,
        sdists: Sequence[str] = (),
        locking: bool = False,
    ) -> None:
        asked = _involved(requests, reason)
        self.operators = tuple(dict.fromkeys(name for name, _ in asked))
        lines = "".join(f"\n  {name} requires `{each}`" for name, each in asked)
        super().__init__(
            f"No set of Python packages satisfies every operator{lines}\n{reason}",
            hint=self._hint(sdists, locking=locking),
        )

    def _hint(self, sdists: Sequence[str], *, locking: bool) -> str | None:
        flags = " ".join(f"--allow-sdist {name}" for name in sdists)
        if sdists and locking:
            return (
                f"A lock takes wheels alone: `hub install --no-project {flags} NAME` "
                "builds it, which runs its code"
            )
        if sdists:
            return f"Pass `{flags}` to build it, which runs its code"
        if len(self.operators) > 1:
            return "Install one of them in an environment of its own"
        return None


class PackageChangeRefused(HubError):
    """An operator needs another version of what is installed."""

    def __init__(self, changes: Sequence[PackageChange], requests: Requests) -> None:
        self.changes = tuple(changes)
        names = {change.pin.name for change in changes}
        asked = [
            f"\n  {operator} requires `{requirement}`"
            for operator, requirements in sorted(requests.items())
            for requirement in requirements
            if requirement.name.lower() in names
        ]
        lines = "".join(f"\n  {change}" for change in changes)
        super().__init__(
            "Installed Python packages would change, and nothing was done"
            f"{lines}{''.join(asked)}",
            hint="Pass `--yes` to change them, or use an environment of its own",
        )


class PackageInstallFailed(HubError):
    """uv or pip could not do its work; what it said is in the message."""


class InstallerMissing(HubError):
    """Neither uv nor pip can be found."""


class PackageInstaller(Protocol):
    """Plans and installs Python packages for one environment at a time."""

    def plan(
        self, requests: Requests, environment: Environment, *, sdists: Collection[str]
    ) -> PackagePlan:
        """What to install so that every request is met.

        Installed packages are kept where they can be.

        :param sdists: packages that may be built from source.
        :raises PackageConflict: if there is no way.
        """

    def install(
        self,
        pins: Sequence[PinnedPackage],
        environment: Environment,
        *,
        sdists: Collection[str],
    ) -> None:
        """Install exactly these, every file checked against its hashes.

        :raises PackageInstallFailed: if one cannot be had, or is not what was pinned.
        """

    def lock(
        self,
        requests: Requests,
        *,
        requires_python: SpecifierSet,
        locked: Sequence[LockedPackage] = (),
    ) -> tuple[LockedPackage, ...]:
        """Pin every package for every platform and interpreter.

        :param locked: what is kept where it fits.
        :raises PackageConflict: if there is no way.
        """

    def pylock(
        self, locked: Sequence[LockedPackage], *, requires_python: SpecifierSet
    ) -> str:
        """The text of a ``pylock.toml`` for these packages, with their addresses.

        :raises PackageInstallFailed: if the registry does not have one of them.
        """


def open_installer(
    kind: str, *, offline: bool = False, live: bool = False, wheels: Path | None = None
) -> PackageInstaller:
    """Take uv where there is one, otherwise pip; or the one that ``kind`` names.

    :param live: whether the installer may draw its progress on the terminal.
    :param wheels: the one folder that it installs from, if it is not to ask a registry.
    :raises InstallerMissing: if there is none.
    """
    from hub_client.packages.pip import PipInstaller  # noqa: PLC0415  (one is used)
    from hub_client.packages.uv import UvInstaller, find_uv  # noqa: PLC0415

    if kind != "pip" and (uv := find_uv()) is not None:
        return UvInstaller(uv, offline=offline, live=live, wheels=wheels)
    if kind == "uv":
        raise InstallerMissing(
            "uv is asked for, and cannot be found",
            hint="Install it: `pip install uv`",
        )
    return PipInstaller(offline=offline, live=live, wheels=wheels)


def open_locker(*, offline: bool = False) -> PackageInstaller:
    """Take uv where there is one, whatever installs: pip can but refuse to lock."""
    return open_installer("auto", offline=offline)


def unmet(
    requests: Requests, environment: Environment
) -> dict[OperatorName, list[PackageRequirement]]:
    """The requests that the environment does not meet yet; starts no process."""
    missing = {
        name: [each for each in requirements if not environment.satisfies(each)]
        for name, requirements in requests.items()
    }
    return {
        name: requirements for name, requirements in missing.items() if requirements
    }


def planned(pins: Iterable[PinnedPackage], installed: Mapping[str, str]) -> PackagePlan:
    """Take away from ``pins`` what is installed already.

    Builds of one version, such as ``2.5.1+cu121`` and ``2.5.1``, stand for each other.
    """
    add, change = [], []
    for pin in pins:
        found = installed.get(pin.name)
        if found is None:
            add.append(pin)
        elif _public(found) != _public(pin.version):
            change.append(PackageChange(pin, found))
    return PackagePlan(tuple(add), tuple(change))


def constraints(installed: Mapping[str, str]) -> str:
    """What is installed, as a constraints file.

    The local segment goes: no registry has ``torch 2.5.1+cu121``, and as ``2.5.1`` it
    is recognised and kept.
    """
    return "".join(
        f"{name}=={_public(version)}\n"
        for name, version in sorted(installed.items())
        if name not in SEEDED
    )


def requirement_lines(requests: Requests) -> str:
    """Every request, one a line, for a file that uv or pip reads."""
    return "".join(
        f"{line}\n"
        for line in sorted({str(each) for some in requests.values() for each in some})
    )


def pin_lines(pins: Iterable[PinnedPackage]) -> str:
    """Pins as a requirements file with hashes."""
    return "".join(
        f"{pin.name}=={pin.version}"
        + "".join(f" --hash={digest}" for digest in pin.hashes)
        + "\n"
        for pin in pins
    )


def _public(version: str) -> str:
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415

    try:
        return Version(version).public
    except InvalidVersion:
        return version


def _involved(
    requests: Requests, reason: str
) -> list[tuple[OperatorName, PackageRequirement]]:
    """The requests for packages that ``reason`` names, or all if it names none."""
    asked = [(name, each) for name in sorted(requests) for each in requests[name]]
    words = set(reason.lower().replace(",", " ").split())
    named = [
        (name, each)
        for name, each in asked
        if any(word.startswith(each.name.lower()) for word in words)
    ]
    return named or asked
