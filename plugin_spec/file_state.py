"""Whether files are the ones that were read, without reading them again."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable


def file_state(path: str | os.PathLike[str]) -> Hashable:
    """What changes when a file is written anew, or one right in a folder is.

    Take it before you read: what is written meanwhile is then seen later. It is None
    where there is nothing.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     before = file_state(file.name)
    ...     assert file_state(file.name) == before
    ...     _ = file.write(b"more")
    ...     file.flush()
    ...     file_state(file.name) == before
    False
    """
    with suppress(OSError, ValueError):
        if os.path.isdir(path):  # noqa: PTH112  (asked of texts that are no paths, too)
            with os.scandir(path) as entries:
                found = [(e.name, _state(e.stat())) for e in entries if e.is_file()]
            return tuple(sorted(found))
        return _state(os.stat(path))  # noqa: PTH116
    return None


def _state(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
