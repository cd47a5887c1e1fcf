"""Write a file so that a reader sees the old content or the new, never a part."""

from __future__ import annotations

import os
import secrets
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path``; its mode stays, and a link goes on pointing where it did.

    :raises OSError: with ``path`` unchanged and nothing left beside it.
    """
    target = path.resolve()
    staged = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with staged.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, staged)
        staged.replace(target)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
