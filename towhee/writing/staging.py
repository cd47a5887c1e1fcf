"""Files that are written beside their place, and take it when they are complete."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    PathLike: TypeAlias = str | os.PathLike[str]


class UnwritablePath(HubError, OSError):
    """No file can be put there."""


def staged_name(path: Path) -> Path:
    """A hidden name beside ``path`` that no other file has, with the same ending."""
    # A name may be as long as a folder takes, and this one is longer.
    return path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}.tmp{path.suffix}")


@contextmanager
def replacing(path: PathLike) -> Iterator[Path]:
    """Write to the path that this gives: at the end it becomes ``path``.

    >>> with replacing("new.txt") as staged:
    ...     _ = staged.write_text("all of it")
    >>> Path("new.txt").read_text()
    'all of it'

    :raises UnwritablePath: at once, if there is no such folder, or something in the
        place that is no file.
    """
    # A link stays one, and what it leads to is replaced.
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise UnwritablePath(
            f"There is no folder `{target.parent}` for `{target.name}`",
            hint="Make it first",
        )
    staged = staged_name(target)
    try:
        is_taken = target.exists() and not target.is_file()
        if not is_taken:
            # Before anything is computed for it.
            staged.touch()
    except OSError as error:
        raise UnwritablePath(
            f"No file can be put at `{path}`: {error.strerror}",
            hint="Give another name, or a folder that you may write to",
        ) from error
    if is_taken:
        raise UnwritablePath(f"`{path}` is there, and is no file")
    try:
        yield staged
        staged.replace(target)
    finally:
        staged.unlink(missing_ok=True)
