"""Which wheels a lock needs for some platforms, and where the registry has them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.specifiers import SpecifierSet

    from hub_client.bundle.platforms import Platform
    from hub_client.lockfile import LockedPackage
    from hub_client.packages import PackageInstaller


class NoWheel(HubError, LookupError):
    """A locked package has no wheel for a platform; ``problems`` has each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "Not every locked Python package is there for every platform"
            + "".join(f"\n  {problem}" for problem in self.problems),
            hint="Leave that platform out, or lock other versions",
        )


@dataclass(frozen=True, slots=True)
class Wheel:
    """A locked file, and where it is to be had."""

    filename: str
    sha256: str
    """64 hexadecimal digits."""
    size: int | None
    address: str
    """``https://…`` or ``file://…``."""


def find_wheels(
    packages: Iterable[LockedPackage],
    platforms: Iterable[Platform],
    *,
    installer: PackageInstaller,
    requires_python: SpecifierSet,
) -> tuple[Wheel, ...]:
    """The wheel of each package for each platform that it counts on.

    A lock knows files by hash alone, so the registry is asked for their addresses.

    :raises NoWheel: naming every package and platform that has none.
    """
    locked, wanted = tuple(packages), tuple(platforms)
    if not locked:
        return ()
    text = installer.pylock(locked, requires_python=requires_python)
    offered = _offered(tomllib.loads(text))
    found: dict[str, Wheel] = {}
    problems: list[str] = []
    for platform in wanted:
        for package in filter(platform.selects, locked):
            wheels = {
                each.filename: each
                for each in offered.get((package.name, package.version), ())
                if f"sha256:{each.sha256}" in package.hashes
            }
            if best := platform.best(wheels):
                found[best] = wheels[best]
            else:
                problems.append(f"{package.name} {package.version} for {platform}")
    if problems:
        raise NoWheel(problems)
    return tuple(found[name] for name in sorted(found))


def _offered(pylock: dict[str, Any]) -> dict[tuple[str, str], list[Wheel]]:
    offered: dict[tuple[str, str], list[Wheel]] = {}
    for package in pylock.get("packages", ()):
        # The same version may stand in it once a marker.
        wheels = offered.setdefault((package["name"], package["version"]), [])
        wheels += _wheels(package)
    return offered


def _wheels(package: dict[str, Any]) -> Iterator[Wheel]:
    for wheel in package.get("wheels", ()):
        address = wheel.get("url")
        if address is None or "sha256" not in wheel["hashes"]:
            continue
        path = PurePosixPath(unquote(urlsplit(address).path))
        yield Wheel(path.name, wheel["hashes"]["sha256"], wheel.get("size"), address)
