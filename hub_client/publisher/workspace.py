"""The folder in which one publication is put together."""

from __future__ import annotations

import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX: Final = "publish-"
_ABANDONED: Final = 24 * 60 * 60
"""Seconds; no publication takes that long, but a killed one leaves its folder."""


@contextmanager
def open_workspace(cache_dir: Path) -> Iterator[Path]:
    """Give a folder that goes with the block, and clear those that were abandoned.

    It is in the cache, where large files fit, and often on one disk with them.
    """
    cache_dir.mkdir(parents=True, exist_ok=True)
    for left in cache_dir.glob(f"{_PREFIX}*"):
        if time.time() - left.stat().st_mtime > _ABANDONED:
            shutil.rmtree(left, ignore_errors=True)
    with TemporaryDirectory(prefix=_PREFIX, dir=cache_dir) as folder:
        yield Path(folder)
