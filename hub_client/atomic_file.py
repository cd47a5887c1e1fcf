"""Write a file so that a reader sees the old content or the new, never a part."""

from __future__ import annotations

import errno
import glob
import os
import secrets
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ABANDONED: Final = 60
"""Seconds; no write takes that long, but a killed one leaves its file."""


class LeadsOut(HubError):
    """A link in a folder leads to where that folder has nothing to say."""

    def __init__(self, path: Path, target: Path) -> None:
        super().__init__(
            f"`{path}` is not written: it is a link that leads to `{target}`",
            hint="See who made it, and put a file in its place",
        )


def check_within(path: Path, folder: Path) -> None:
    """Refuse to write where others may have had a link lead.

    :raises LeadsOut: if ``path`` is not in ``folder`` once links are followed.
    """
    target = path.resolve()
    if not target.is_relative_to(folder.resolve()):
        raise LeadsOut(path, target)


def write_atomically(
    path: Path, content: bytes, *, check: Callable[[], object] = lambda: None
) -> None:
    """Replace ``path``; its mode stays, and a link goes on pointing where it did.

    A device or a pipe is written to, and stays.

    :param check: called last before it is replaced; what it raises prevents that.
    :raises OSError: naming ``path``, which is unchanged and has nothing left beside it.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        check()
        path.write_bytes(content)
        return
    target = path.resolve()
    _sweep(target)
    staged = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with staged.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, staged)
        check()
        staged.replace(target)
    except BaseException as error:
        with suppress(OSError):
            staged.unlink()
        if isinstance(error, OSError):
            error.filename = str(path)
            del error.filename2  # None would be told as a second name
        raise


def _sweep(target: Path) -> None:
    """Remove what killed writers of ``target`` left beside it."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.*.tmp"):
        with suppress(OSError):
            # A clock that was set back makes no file young for ever.
            if abs(time.time() - left.stat().st_mtime) > _ABANDONED:
                left.unlink()
