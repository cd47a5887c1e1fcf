"""Files that are written beside their place, and take it when they are complete."""

from __future__ import annotations

import glob
import os
import secrets
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from plugin_spec.errors import HubError

if sys.platform != "win32":  # there nobody sweeps
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    PathLike: TypeAlias = str | os.PathLike[str]


class UnwritablePath(HubError, OSError):
    """No file can be put there."""


class Staged:
    """A hidden file beside its target, with the same ending, locked while it is there.

    What killed processes left of theirs is swept by the next that writes there.

    :raises OSError: if there can be none.
    """

    def __init__(self, target: Path) -> None:
        # A name may be as long as a folder takes, and this one is longer.
        start, end = f".{target.name[:40]}.", f".tmp{target.suffix}"
        pattern = f"{glob.escape(start)}????????{glob.escape(end)}"
        for left in target.parent.glob(pattern):
            _sweep(left)
        self.target = target
        while True:
            self.path = target.with_name(f"{start}{secrets.token_hex(4)}{end}")
            self._held = self.path.open("xb")
            if sys.platform == "win32":
                self._held.close()
                return
            with suppress(OSError):  # of a file system without locks
                fcntl.flock(self._held, fcntl.LOCK_EX)
            # A sweeper may have come by before there was a lock.
            if self.path.exists():
                return
            self._held.close()

    def publish(self) -> None:
        """Put it in the place of its target."""
        self.path.replace(self.target)

    def discard(self) -> None:
        """Remove it, unless it was published."""
        self.path.unlink(missing_ok=True)
        self._held.close()


def _sweep(left: Path) -> None:
    """Remove a staged file that no process holds."""
    if sys.platform == "win32":
        return
    with suppress(OSError), left.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        left.unlink()


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
    try:
        is_taken = target.exists() and not target.is_file()
        if not is_taken:
            # Before anything is computed for it.
            staged = Staged(target)
    except OSError as error:
        raise UnwritablePath(
            f"No file can be put at `{path}`: {error.strerror}",
            hint="Give another name, or a folder that you may write to",
        ) from error
    if is_taken:
        raise UnwritablePath(f"`{path}` is there, and is no file")
    try:
        yield staged.path
        staged.publish()
    finally:
        staged.discard()
