"""A lock's Python packages as the standard ``pylock.toml`` (PEP 751)."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.specifiers import SpecifierSet

    from hub_client.lockfile import LockedPackage
    from hub_client.packages import PackageInstaller


class RegistryDiffers(HubError):
    """A registry offers other files than those that are locked."""


def to_pylock(
    packages: Iterable[LockedPackage],
    *,
    installer: PackageInstaller,
    requires_python: SpecifierSet,
) -> str:
    """The text of a ``pylock.toml``, which says where each file is to be had.

    A lock knows files by hash alone, so the registry is asked for their addresses, and
    what it says is held against the lock.

    :raises RegistryDiffers: naming each package whose files are not the locked ones.
    """
    locked = tuple(packages)
    text = installer.pylock(locked, requires_python=requires_python)
    if problems := list(_differences(locked, tomllib.loads(text))):
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise RegistryDiffers(
            f"The registry does not offer what is locked{lines}",
            hint="Ask who runs the registry, or lock anew with `hub lock --upgrade`",
        )
    return text


def _differences(
    locked: Iterable[LockedPackage], pylock: Mapping[str, Any]
) -> Iterator[str]:
    hashes: dict[tuple[str, str], set[str]] = {}
    for each in locked:
        hashes.setdefault((each.name, each.version), set()).update(each.hashes)
    found = set()
    for package in pylock.get("packages", ()):
        key = (package["name"], package["version"])
        found.add(key)
        offered = {f"sha256:{wheel['hashes']['sha256']}" for wheel in _files(package)}
        if key not in hashes:
            yield f"{key[0]} {key[1]} is not locked"
        elif unknown := offered - hashes[key]:
            yield f"{key[0]} {key[1]} has the file {min(unknown)}, which is not locked"
    for name, version in hashes.keys() - found:
        yield f"{name} {version} is locked and not offered"


def _files(package: Mapping[str, Any]) -> list[dict[str, Any]]:
    sdist = [package["sdist"]] if "sdist" in package else []
    return [*package.get("wheels", ()), *sdist]
