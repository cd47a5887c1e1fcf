"""The text that uv and pip write for a set of pinned packages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hub_client.lockfile import LockedPackage

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENTRY = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?:\s*;\s*(?P<marker>.*))?"
)
_HASH = re.compile(r"--hash=(\S+)")


def parse_pins(text: str) -> Iterator[LockedPackage]:
    r"""Read ``name==version ; marker --hash=…`` lines, joined by backslashes.

    >>> list(parse_pins("six==1.17.0 ; os_name == 'nt' \\\n    --hash=sha256:ab\n"))
    ... # doctest: +NORMALIZE_WHITESPACE
    [LockedPackage(name='six', version='1.17.0', marker='os_name == "nt"',
     hashes=('sha256:ab',))]

    :raises ValueError: for a line that is no pin.
    """
    from packaging.markers import Marker  # noqa: PLC0415
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    for line in text.replace("\\\n", " ").splitlines():
        head, *hashes = line.split("#")[0].strip().partition(" --hash=")
        if not head:
            continue
        match = _ENTRY.fullmatch(head.strip())
        if match is None:
            raise ValueError(f"expected `name==version`, got {line!r}")
        yield LockedPackage(
            name=canonicalize_name(match["name"]),
            version=match["version"],
            # As a lock reads it back, so that it is written the same twice.
            marker=match["marker"] and str(Marker(match["marker"])),
            hashes=tuple(_HASH.findall("".join(hashes).join(("", "")))),
        )
