"""A lock's Python packages as a requirements file with hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hub_client.lockfile import LockedPackage


def to_requirements(packages: Iterable[LockedPackage]) -> str:
    """Lines that ``pip install --require-hashes --requirement`` reads; so does uv."""
    ordered = sorted(packages, key=lambda each: (each.name, each.marker or ""))
    return "".join(line for each in ordered for line in _lines(each))


def _lines(package: LockedPackage) -> Iterator[str]:
    marker = f" ; {package.marker}" if package.marker else ""
    yield f"{package.name}=={package.version}{marker}"
    for digest in sorted(package.hashes):
        yield f" \\\n    --hash={digest}"
    yield "\n"
