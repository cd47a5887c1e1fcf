"""The folder in which one publication is put together."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from hub_client.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def open_workspace(cache_dir: Path) -> Iterator[Path]:
    """Give a folder that goes with the block; that of a killed one is swept later.

    It is in the cache, where large files fit, and often on one disk with them.
    """
    with Staging(cache_dir / "store").folder() as folder:
        yield folder
