"""Platforms that a bundle is for, and which wheel each of them takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from plugin_spec.errors import HubError
from plugin_spec.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.tags import Tag

    from hub_client.environment import Environment
    from hub_client.lockfile import LockedPackage

_SYSTEMS: Final = {
    "linux-x86_64": ("posix", "linux", "Linux", "x86_64"),
    "linux-aarch64": ("posix", "linux", "Linux", "aarch64"),
    "macos-arm64": ("posix", "darwin", "Darwin", "arm64"),
    "macos-x86_64": ("posix", "darwin", "Darwin", "x86_64"),
    "windows-x86_64": ("nt", "win32", "Windows", "AMD64"),
    "windows-arm64": ("nt", "win32", "Windows", "ARM64"),
}
"""Values of PEP 508's os_name, sys_platform, platform_system and platform_machine."""
_UV_NAMES: Final = {
    "linux": "linux-x86_64",
    "macos": "macos-arm64",
    "windows": "windows-x86_64",
    "x86_64-unknown-linux-gnu": "linux-x86_64",
    "aarch64-unknown-linux-gnu": "linux-aarch64",
    "x86_64-apple-darwin": "macos-x86_64",
    "aarch64-apple-darwin": "macos-arm64",
    "x86_64-pc-windows-msvc": "windows-x86_64",
    "aarch64-pc-windows-msvc": "windows-arm64",
}
_GLIBC: Final = 28
"""The minor version of the C library that wheels for Linux may count on, as for uv."""
_OLDEST_GLIBC: Final = 5
_MACOS: Final = (14, 0)
_OLD_NAMES: Final = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_PATCHES: Final = 50
"""More patch releases than a minor version of Python has ever had."""
_NAME = re.compile(r"(?P<system>[a-z]+-\w+?)(-glibc2\.(?P<glibc>\d{1,2}))?")
_UV_GLIBC = re.compile(r"(x86_64|aarch64)-manylinux_2_(\d{1,2})")
_PYTHON = re.compile(r"(?P<major>3)\.(?P<minor>\d{1,2})")


class UnknownPlatform(HubError, ValueError):
    """A name of no platform, or a version of no Python, that a bundle can be for."""


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """A system and processor, and a minor version of CPython."""

    name: str
    """For example ``linux-x86_64``, or ``linux-x86_64-glibc2.17``."""
    python: str
    """For example ``3.12``."""

    @classmethod
    def parse(cls, name: str, python: str) -> Self:
        """Read the names of this project, or those that uv has.

        >>> print(Platform.parse("aarch64-apple-darwin", "3.12"))
        macos-arm64 with Python 3.12
        >>> print(Platform.parse("x86_64-manylinux_2_17", "3.11"))
        linux-x86_64-glibc2.17 with Python 3.11

        :raises UnknownPlatform: saying which there are.
        """
        return cls(parse_name(name), parse_python(python))

    @classmethod
    def of(cls, environment: Environment) -> Self:
        """The platform of an environment.

        :raises UnknownPlatform: if a bundle cannot be for it.
        """
        told = environment.markers
        for name, (_, system, _, machine) in _SYSTEMS.items():
            if (
                told["sys_platform"] == system
                and told["platform_machine"] == machine
                and told["implementation_name"] == "cpython"
            ):
                return cls(name, ".".join(environment.python_version.split(".")[:2]))
        raise UnknownPlatform(
            f"A bundle cannot be for `{environment.python}`: {told['sys_platform']}, "
            f"{told['platform_machine']}, {told['implementation_name']}"
        )

    @property
    def system(self) -> str:
        """Its name without a glibc."""
        return self.name.partition("-glibc")[0]

    def serves(self, other: Self) -> bool:
        """Whether what was collected for this platform is meant for ``other``."""
        return (self.system, self.python) == (other.system, other.python)

    def selects(self, package: LockedPackage) -> bool:
        """Whether a package counts here, in any patch release of this Python."""
        from packaging.markers import Marker  # noqa: PLC0415  (as it is used)

        if package.marker is None:
            return True
        marker = Marker(package.marker)
        return any(marker.evaluate(self._markers(patch)) for patch in range(_PATCHES))

    def best(self, filenames: Iterable[str]) -> str | None:
        """The wheel that an installer would take here; None if there is none."""
        from packaging.utils import (  # noqa: PLC0415
            InvalidWheelFilename,
            parse_wheel_filename,
        )

        order = {tag: rank for rank, tag in enumerate(self._tags())}
        ranked: list[tuple[int, str]] = []
        for filename in filenames:
            try:
                tags = parse_wheel_filename(filename)[3]
            except InvalidWheelFilename:
                continue
            ranks = [order[tag] for tag in tags if tag in order]
            ranked += [(min(ranks), filename)] if ranks else []
        return min(ranked)[1] if ranked else None

    def __str__(self) -> str:
        return f"{self.name} with Python {self.python}"

    def _markers(self, patch: int) -> dict[str, Any]:
        names = ("os_name", "sys_platform", "platform_system", "platform_machine")
        full = f"{self.python}.{patch}"
        return {
            **dict(zip(names, _SYSTEMS[self.system], strict=True)),
            "implementation_name": "cpython",
            "implementation_version": full,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_version": "",
            "python_full_version": full,
            "python_version": self.python,
        }

    def _tags(self) -> Iterator[Tag]:
        """What an interpreter there would run, best first."""
        from packaging.tags import compatible_tags, cpython_tags  # noqa: PLC0415

        version = tuple(map(int, self.python.split(".")))
        short = f"cp{version[0]}{version[1]}"
        platforms = list(self._platform_tags())
        yield from cpython_tags(version, abis=[short], platforms=platforms)
        yield from compatible_tags(version, interpreter=short, platforms=platforms)

    def _platform_tags(self) -> Iterator[str]:
        from packaging.tags import mac_platforms  # noqa: PLC0415

        system, machine = self.system.split("-")
        if system == "macos":
            yield from mac_platforms(_MACOS, machine)
        elif system == "windows":
            yield {"x86_64": "win_amd64", "arm64": "win_arm64"}[machine]
        else:
            newest = int(self.name.partition("-glibc2.")[2] or _GLIBC)
            for minor in range(newest, _OLDEST_GLIBC - 1, -1):
                yield f"manylinux_2_{minor}_{machine}"
                if minor in _OLD_NAMES:
                    yield f"{_OLD_NAMES[minor]}_{machine}"
            yield f"linux_{machine}"


def parse_name(text: str) -> str:
    """The platform's name in this project, for one that uv has too.

    :raises UnknownPlatform: naming the nearest, or which there are.
    """
    given = _UV_GLIBC.sub(r"linux-\1-glibc2.\2", _UV_NAMES.get(text, text))
    match = _NAME.fullmatch(given)
    if match is None or match["system"] not in _SYSTEMS:
        near = did_you_mean(text, (*_SYSTEMS, *_UV_NAMES))
        raise UnknownPlatform(
            f"expected a platform, got {text!r}{near}",
            hint=f"There are {', '.join(_SYSTEMS)}",
        )
    if match["glibc"] and not given.startswith("linux"):
        raise UnknownPlatform(f"{text!r}: only Linux has a glibc")
    return given


def parse_python(text: str) -> str:
    """The version itself, if it is one of CPython's minor versions.

    :raises UnknownPlatform: if it is not.
    """
    if not _PYTHON.fullmatch(text):
        raise UnknownPlatform(f"expected a version as 3.12, got {text!r}")
    return text


def parse_platforms(
    names: Iterable[str], pythons: Iterable[str], *, here: Environment
) -> tuple[Platform, ...]:
    """Every named platform with every named Python; what is not named is that of here.

    :raises UnknownPlatform: for the first that there is not.
    """
    chosen, versions = tuple(names), tuple(pythons)
    own = None if chosen and versions else Platform.of(here)
    return tuple(
        sorted(
            {
                Platform.parse(name, python)
                for name in chosen or (own.name if own else "",)
                for python in versions or (own.python if own else "",)
            }
        )
    )
