"""Installed Python packages, as the names of their metadata folders tell them.

Names are enough: reading every package's metadata takes forty times as long.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

_METADATA = re.compile(
    r"(?P<name>[^-]+)-(?P<version>[^-]+)(-py[\d.]+)?\.(dist-info|egg-info)"
)


@dataclass(frozen=True, slots=True)
class Distribution:
    """One Python package in a folder that an interpreter imports from."""

    name: str
    """Canonical: lower case, single hyphens."""
    version: str
    metadata: Path

    @property
    def is_whole(self) -> bool:
        """Whether its installation came to an end.

        uv and pip write INSTALLER after all of a package's files.
        """
        return (
            self.metadata.suffix != ".dist-info"
            or (self.metadata / "INSTALLER").exists()
        )


def find_distributions(
    folders: Iterable[str], names: Container[str] | None = None
) -> Iterator[Distribution]:
    """Find the packages of each folder, in order, whole or not.

    :param names: canonical ones; others are passed over. None for all.
    """
    from packaging.utils import canonicalize_name  # noqa: PLC0415  (as in satisfies)
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415

    for folder in folders:
        for entry in _entries(folder):
            match = _METADATA.fullmatch(entry)
            if match is None:
                continue
            name = canonicalize_name(match["name"])
            if names is not None and name not in names:
                continue
            try:
                version = str(Version(match["version"]))
            except InvalidVersion:
                continue
            yield Distribution(name, version, Path(folder, entry))


def _entries(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208  (names, not paths)
    except OSError:
        return []  # a zip file, or a folder that is gone
