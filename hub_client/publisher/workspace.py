"""The folder in which one publication is put together."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from hub_client.staging import Staging
from hub_client.store import CacheUnwritable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def open_workspace(cache_dir: Path) -> Iterator[Path]:
    """Give a folder that goes with the block; that of a killed one is swept later.

    It is in the cache, where large files fit, and often on one disk with them.

    :raises CacheUnwritable: if there cannot be one.
    """
    store = cache_dir / "store"
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(Staging(store).folder())
        except OSError as error:
            raise CacheUnwritable(store, error) from error
        yield folder
