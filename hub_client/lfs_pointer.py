"""The short text that Git LFS commits in place of a large file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

POINTER_SIZE: Final = 200
"""Bytes that no pointer has more of."""
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n"
    rb"oid sha256:(?P<oid>[0-9a-f]{64})\nsize \d+\n"
)


def pointer_digest(file: Path) -> str | None:
    """The digest that a pointer names, in hexadecimal; None for any other file."""
    if file.stat().st_size > POINTER_SIZE:
        return None
    match = _POINTER.fullmatch(file.read_bytes())
    return match and match["oid"].decode()
