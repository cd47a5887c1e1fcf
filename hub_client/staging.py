"""A folder for each process that fills a tree, or that needs all to stay as it is."""

from __future__ import annotations

import errno
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from filelock import BaseFileLock

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What a full disk says, and one on which a user has had their share."""
_PAUSE: Final = 0.05
"""Seconds between two looks at whether others are done."""


class Staging:
    """Folders that each belong to a process, which holds a lock in it while it lives.

    What a killed process left is swept by the next one that comes.
    """

    def __init__(self, root: Path) -> None:
        self.path = root / "staging"
        self._lock_path = root / "staging.lock"

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Give a new folder; while the block lasts, nobody is ``alone``."""
        from filelock import FileLock  # noqa: PLC0415  (24 ms, and readers need none)

        self.path.mkdir(parents=True, exist_ok=True)
        # The outer lock makes "create the folder, lock it" one step for a sweeper.
        with FileLock(self._lock_path):
            self._sweep()
            folder, lock = self._new()
        try:
            yield folder
        finally:
            _discard(folder, lock)

    @contextmanager
    def alone(self, waiting: Callable[[], object]) -> Iterator[Path]:
        """Run the block while no process has a folder, and none gets one.

        :param waiting: called once if others have to end first.
        :returns: a folder for what goes; it is deleted when others may go on.
        """
        from filelock import FileLock  # noqa: PLC0415  (as above)

        self.path.mkdir(parents=True, exist_ok=True)
        outer = FileLock(self._lock_path)
        outer.acquire()
        try:
            if self._sweep():
                waiting()
            while self._sweep():
                outer.release()
                time.sleep(_PAUSE)
                outer.acquire()
            try:
                folder, lock = self._new()
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise
                # A full disk has no room for a folder: what goes is to make some.
                try:
                    yield self.path
                finally:
                    for left in list(self.path.iterdir()):
                        delete(left)
                return
            try:
                yield folder
            finally:
                outer.release()
                _discard(folder, lock)
        finally:
            outer.release()

    def _new(self) -> tuple[Path, BaseFileLock]:
        from filelock import FileLock  # noqa: PLC0415  (as above)

        folder = Path(tempfile.mkdtemp(dir=self.path))
        lock = FileLock(folder / "lock")
        try:
            lock.acquire()
        except OSError:
            delete(folder)
            raise
        return folder, lock

    def _sweep(self) -> int:
        """Remove the folders of dead processes; how many there are of living ones."""
        from filelock import FileLock, Timeout  # noqa: PLC0415  (as above)

        living = 0
        for folder in list(self.path.iterdir()):
            # It went when the disk was full, or its process was killed before it had
            # it; a lock that is made only to be deleted would take room.
            if not (folder / "lock").exists():
                delete(folder)
                continue
            lock = FileLock(folder / "lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                living += 1
            except (FileNotFoundError, FileExistsError):
                # Its process is done, and took it away meanwhile: before the lock was
                # looked for, or as its folder was found to exist.
                continue
            else:
                _discard(folder, lock)
        return living


def _discard(folder: Path, lock: BaseFileLock) -> None:
    lock.release()
    delete(folder)


def delete(path: Path) -> None:
    """Delete a file or a folder, as far as that can be done."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
