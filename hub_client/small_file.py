"""Read a file that is small if it is what it is taken for."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from pathlib import Path

SMALL: Final = 4 << 20
"""Bytes that a project's file, a configuration or a receipt may have."""


class OddFile(HubError, OSError):
    """A file is not what it is taken for: a device or a pipe, or far too large."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"`{path}` {reason}", hint="Move it away, or delete it")


def read_small(path: Path, limit: int = SMALL) -> bytes:
    """All bytes of a regular file.

    :raises OddFile: if it has more than ``limit``, or might never end.
    :raises OSError: if it cannot be read.
    """
    with open(path, "rb", opener=_open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OddFile(path, "is not a regular file")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OddFile(path, f"has more than {limit >> 20} MiB")
    return content


def _open_at_once(path: str, flags: int) -> int:
    # A pipe without a writer would have its reader wait.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
