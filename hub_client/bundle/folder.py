"""The folder of a bundle while it is being made: what is visible is whole."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from hub_client.atomic_file import write_atomically
from hub_client.bundle.download import FileDamaged
from hub_client.bundle.listing import (
    LISTING_FILE,
    LOCK_FILE,
    SIZE_LIMIT,
    BundleListing,
    InvalidBundle,
    NewerBundle,
)
from hub_client.listed_file import ListedFile
from plugin_spec.errors import HubError
from plugin_spec.tree_paths import walk_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub_client.bundle.download import Wanted

_STAGING: Final = ".arriving"
_LOCK: Final = ".hub-bundle.lock"
_CONTENTS: Final = ("trees", "wheels", "weights", "signatures")
_OTHER: Final = "Delete it if nothing needs it, or name another folder"


class NotABundle(HubError):
    """A folder holds other things, or a bundle where a new one is asked for."""


class BundleBusy(HubError):
    """Another process is writing the same bundle."""


@dataclass(slots=True)
class BundleFolder:
    """Files by the paths that a listing gives them, and the listing last."""

    path: Path
    before: BundleListing | None
    """What was there; None if there was no listing, or none that reads."""
    recheck: bool = False
    """Whether files that were listed before are hashed again."""
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    _hashed: set[tuple[str, str]] = field(default_factory=set)
    """Paths and digests of files that were hashed, and found whole."""

    @classmethod
    @contextmanager
    def open(
        cls,
        path: Path,
        *,
        accepts: Callable[[BundleListing | None], bool] = lambda _: True,
        recheck: bool = False,
    ) -> Iterator[Self]:
        """Be the only writer of a folder, which is made if it is not there.

        If the block fails before anything came, nothing stays.

        :param accepts: whether a bundle that is there already, None if its listing does
            not read, may be gone on with; one that was interrupted has no listing.
        :raises NotABundle: rather than touch a folder with anything else in it.
        :raises NewerBundle: rather than replace what a newer hub wrote.
        :raises BundleBusy: if another process writes it.
        """
        from filelock import FileLock, Timeout  # noqa: PLC0415  (as in Store)

        _check_ours(path)
        is_new = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise BundleBusy(f"Another process is writing `{path}`") from error
        try:
            _check_arriving(path / _STAGING)
            before = _read_listing(path)
            if (path / LISTING_FILE).exists():
                _check_accepted(path, accepts(before))
            yield cls(path, before, recheck=recheck)
        except BaseException:
            _leave_nothing(path, is_new=is_new)
            raise
        finally:
            lock.release()

    def has(self, path: str, wanted: Wanted) -> bool:
        """Whether a file is here; hashed, unless it was listed with these bytes.

        :raises NotABundle: if a link leads to its folder.
        """
        target = self._below(path)
        if target.is_symlink() or not target.is_file():
            return False
        known = self.before.files.get(path) if self.before else None
        if known is not None and not self.recheck:
            listed = (known.digest, known.size)
            found = (f"sha256:{wanted.sha256}", target.stat().st_size)
            if listed == found and wanted.size in {None, known.size}:
                return True
        if (path, wanted.sha256) in self._hashed:
            return True
        try:
            wanted.check(target)
        except FileDamaged:
            return False
        self._hashed.add((path, wanted.sha256))
        return True

    def put(self, path: str, wanted: Wanted, bring: Callable[[Path], object]) -> None:
        """Let ``bring`` write a file aside; it gets its name when it is whole.

        :raises NotABundle: if a link leads to its folder.
        """
        target = self._below(path)
        staged = self.path / _STAGING / wanted.sha256
        bring(staged)
        target.parent.mkdir(parents=True, exist_ok=True)
        staged.replace(target)
        self.added.append(path)

    def listed(self, path: str, wanted: Wanted) -> ListedFile:
        """A file that is here, as the listing has it."""
        size = (self.path / path).stat().st_size
        return ListedFile(path, size, f"sha256:{wanted.sha256}")

    def publish(self, listing: BundleListing, lock: bytes) -> None:
        """Let everybody see the new listing, then remove what no one needs any more.

        What the listing before named stays until the next time: somebody may be
        reading by it.
        """
        if self.before != listing or not (self.path / LOCK_FILE).is_file():
            write_atomically(self.path / LOCK_FILE, lock)
            write_atomically(self.path / LISTING_FILE, listing.dumps())
        shutil.rmtree(self.path / _STAGING, ignore_errors=True)
        known = {*listing.files, *(self.before.files if self.before else ())}
        for folder in _CONTENTS:
            root = self.path / folder
            if root.is_dir():
                self._remove_others(root, known)

    def _below(self, path: str) -> Path:
        """Where a file belongs, through no link."""
        folder = self.path
        for part in path.split("/")[:-1]:
            folder /= part
            _check_no_link(folder)
        return self.path / path

    def _remove_others(self, root: Path, known: set[str]) -> None:
        for entry, path in [*walk_tree(root, f"{root.name}/")]:
            if path not in known:
                Path(entry.path).unlink()
                self.removed.append(path)
        for folder, _, _ in os.walk(root, topdown=False):
            if Path(folder) != root and not os.listdir(folder):  # noqa: PTH208
                Path(folder).rmdir()


def _check_accepted(path: Path, accepted: bool) -> None:
    if not accepted:
        raise NotABundle(
            f"`{path}` is another bundle already",
            hint=f"Bring it up to date with `hub mirror {path}`, "
            "or name another folder",
        )


def _leave_nothing(path: Path, *, is_new: bool) -> None:
    """Remove a folder, or what is ours of it, to which nothing came."""
    with suppress(OSError):
        (path / _STAGING).rmdir()
    with suppress(OSError):
        if os.listdir(path) == [_LOCK]:  # noqa: PTH208  (names, not paths)
            (path / _LOCK).unlink()
            if is_new:
                path.rmdir()


def _check_ours(path: Path) -> None:
    """Refuse a folder that holds other things, or leads elsewhere."""
    try:
        names = os.listdir(path)  # noqa: PTH208  (names, not paths)
    except FileNotFoundError:
        return
    for name in (*_CONTENTS, _STAGING, _LOCK, LISTING_FILE, LOCK_FILE):
        _check_no_link(path / name)
    for name in (_LOCK, LISTING_FILE, LOCK_FILE):
        # Nobody writes to the other end of a pipe.
        if (path / name).exists() and not (path / name).is_file():
            raise NotABundle(f"`{path / name}` is not a regular file", hint=_OTHER)
    # Other tools write a `bundle.json`, too: its name alone does not make it ours.
    if names and _LOCK not in names and _read_listing(path) is None:
        raise NotABundle(
            f"`{path}` is not empty, and is no bundle",
            hint="Name a folder that is new or empty",
        )


def _check_no_link(path: Path) -> None:
    if path.is_symlink():
        raise NotABundle(f"`{path}` is a symbolic link", hint=_OTHER)


def _check_arriving(folder: Path) -> None:
    """Refuse what no interrupted run left: writing goes on in what lies there."""
    for path in folder.glob("*"):
        if path.is_symlink() or not path.is_file():
            raise NotABundle(f"`{path}` is not a regular file", hint=_OTHER)


def _read_listing(path: Path) -> BundleListing | None:
    try:
        with (path / LISTING_FILE).open("rb") as file:
            return BundleListing.loads(file.read(SIZE_LIMIT), place=str(path))
    except NewerBundle:
        raise
    except (FileNotFoundError, InvalidBundle):
        return None
