"""Trees by their digest: complete or invisible, and never written twice."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hub_client.tree_digest import DigestMismatch, tree_digest, tree_files
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CacheUnwritable", "DigestMismatch", "InvalidDigest", "Store"]

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


class InvalidDigest(HubError, ValueError):
    """A digest is not ``sha256:`` and 64 lower-case hexadecimal digits."""


class CacheUnwritable(HubError):
    """A folder of the cache cannot be written: read-only, full, or not a folder."""

    def __init__(self, folder: Path, error: OSError) -> None:
        self.folder = folder
        super().__init__(
            f"Cannot write to `{folder}`: {error.strerror or error}",
            hint="Make room there, or set `HUB_CACHE_DIR` to a folder you may write to",
        )


class Store:
    """A folder of immutable trees, shared by every environment and process."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, digest: str) -> Path:
        """Where the tree lies, or would lie."""
        match = _DIGEST.fullmatch(digest)
        if match is None:
            raise InvalidDigest(f"expected `sha256:` and 64 digits, got {digest!r}")
        return self.root / "sha256" / match[1]

    def has(self, digest: str) -> bool:
        """Whether the tree is here; what is visible is complete."""
        return self.path(digest).is_dir()

    def verify(self, digest: str) -> None:
        """Hash the tree again.

        :raises DigestMismatch: if a byte or a name of it was changed.
        """
        path = self.path(digest)
        actual = tree_digest(path)
        if actual != digest:
            raise DigestMismatch(
                f"`{path}`",
                expected=digest,
                actual=actual,
                hint="Delete that folder and install again",
            )

    def add(self, fill: Callable[[Path], None], *, expected: str | None = None) -> str:
        """Let ``fill`` write a tree into an empty folder, then publish it.

        :returns: the tree's digest.
        :raises DigestMismatch: if it is not ``expected``.
        :raises CacheUnwritable: if the disk is full or read-only; nothing is published.
        """
        try:
            with self._staging_folder() as folder:
                tree = folder / "tree"
                tree.mkdir()
                fill(tree)
                digest = tree_digest(tree)
                if expected not in {None, digest}:
                    raise DigestMismatch(
                        "the fetched operator", expected=str(expected), actual=digest
                    )
                _seal(tree)
                self._publish(tree, digest)
                return digest
        except OSError as error:
            raise CacheUnwritable(self.root, error) from error

    @contextmanager
    def _staging_folder(self) -> Iterator[Path]:
        """A new folder beside the trees, and the remains of dead processes gone."""
        from filelock import FileLock  # noqa: PLC0415  (24 ms, and readers need none)

        staging = self.root / "staging"
        staging.mkdir(parents=True, exist_ok=True)
        # The outer lock makes "create the folder, lock it" one step for a sweeper.
        with FileLock(self.root / "staging.lock"):
            _sweep(staging)
            folder = Path(tempfile.mkdtemp(dir=staging))
            lock = FileLock(folder / "lock")
            lock.acquire()
        try:
            yield folder
        finally:
            lock.release()
            shutil.rmtree(folder, ignore_errors=True)

    def _publish(self, tree: Path, digest: str) -> None:
        path = self.path(digest)
        path.parent.mkdir(exist_ok=True)
        try:
            # Rename last: readers take an existing path as complete.
            tree.rename(path)
        except OSError:
            # Another process was first with the same bytes; theirs will do.
            if not path.is_dir():
                raise


def _sweep(staging: Path) -> None:
    """Remove staging folders whose lock nobody holds: their processes are dead."""
    from filelock import FileLock, Timeout  # noqa: PLC0415  (as in _staging_folder)

    for folder in staging.iterdir():
        lock = FileLock(folder / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)


def _seal(tree: Path) -> None:
    """Make files read-only and have them on disk before the tree gets its name."""
    for path in tree_files(tree):
        with (tree / path).open("rb") as file:
            (tree / path).chmod(0o444)
            os.fsync(file.fileno())
