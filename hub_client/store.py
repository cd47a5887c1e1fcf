"""Trees by their digest: complete or invisible, and never written twice."""

from __future__ import annotations

import errno
import os
import re
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hub_client.atomic_file import write_atomically
from hub_client.roots import Roots
from hub_client.staging import NO_ROOM, Staging, delete
from hub_client.text_of_others import ONE_LINE
from hub_client.tree_digest import DigestMismatch, tree_digest, tree_files
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub_client.roots import RootKind

__all__ = [
    "MAKE_ROOM",
    "CacheUnwritable",
    "DigestMismatch",
    "FilesUnreadable",
    "InvalidDigest",
    "Store",
]

MAKE_ROOM: Final = (
    "Make room on that disk: `hub cache prune` removes what nothing needs any more; "
    "or set `HUB_CACHE_DIR` to a folder on another disk"
)
"""What to do about a cache on a full disk."""
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_SOURCES: Final = "came-from"
"""The folder of notes from where each tree came, a source a line."""
_NOT_OURS: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
"""What a folder says to one who may only read it."""


class InvalidDigest(HubError, ValueError):
    """A digest is not ``sha256:`` and 64 lower-case hexadecimal digits."""


class CacheUnwritable(HubError):
    """A folder of the cache cannot be written: full, read-only, or not a folder."""

    def __init__(
        self,
        folder: Path,
        error: OSError,
        *,
        instead: str | None = None,
        removing: bool = False,
    ) -> None:
        self.folder = folder
        self.error = error
        hint = "Set `HUB_CACHE_DIR` to a folder you may write to"
        if error.errno in NO_ROOM:
            hint = MAKE_ROOM
        if removing and error.errno in _NOT_OURS:
            hint = "Whoever may write there can remove from it"
        super().__init__(
            f"Cannot write to `{folder}`: {error.strerror or error}",
            hint=f"{hint}; {instead}" if instead else hint,
        )


class FilesUnreadable(HubError):
    """What a tree is to be filled with cannot be read where it lies."""

    def __init__(self, error: OSError) -> None:
        what = f"read `{error.filename}`"
        if error.filename2:  # whoever copies is not told which of the two it was
            what = f"copy `{error.filename}` to `{error.filename2}`"
        super().__init__(
            f"Cannot {what}: {error.strerror}",
            hint="See that it is there, and that you may read it",
        )


class Store:
    """A folder of immutable trees, shared by every environment and process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._untold: set[Path] = set()

    def path(self, digest: str) -> Path:
        """Where the tree lies, or would lie."""
        match = _DIGEST.fullmatch(digest)
        if match is None:
            raise InvalidDigest(f"expected `sha256:` and 64 digits, got {digest!r}")
        return self.root / "sha256" / match[1]

    def has(self, digest: str, *, source: str | None = None) -> bool:
        """Whether the tree is here; what is visible is complete.

        :param source: whether it ever came from there, too: who trusts a source does
            not trust what came from another, whatever a lock says.
        """
        here = self.path(digest).is_dir()
        return here and (source is None or source in self._sources(digest))

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

    def add(
        self,
        fill: Callable[[Path], None],
        *,
        expected: str | None = None,
        source: str | None = None,
        what: str = "the new tree",
    ) -> str:
        """Let ``fill`` write a tree into an empty folder, then publish it.

        :param source: where ``fill`` has it from, for ``has``.
        :param what: whose files they are, for errors.
        :returns: the tree's digest.
        :raises DigestMismatch: if it is not ``expected``, or was here and was changed.
        :raises CacheUnwritable: if the disk is full or read-only; nothing is published.
        :raises FilesUnreadable: if it is what ``fill`` reads that fails.
        """
        with self._reporting(), self._staging.folder() as folder:
            tree = folder / "tree"
            self._fill(tree, fill)
            digest = tree_digest(tree)
            if expected not in {None, digest}:
                raise DigestMismatch(
                    what,
                    expected=str(expected),
                    actual=digest,
                    hint="Ask its publisher, and who wrote the lock or index that "
                    "says otherwise",
                )
            _seal(tree)
            self._publish(tree, digest)
            if source is not None:
                self._note(digest, source)
        return digest

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """See to it that nothing is removed while the block lasts.

        Who may only read the store may go on: it is not theirs to remove from.

        :raises CacheUnwritable: if the disk is full.
        """
        with ExitStack() as stack:
            with self._reporting(but=_NOT_OURS):
                stack.enter_context(self._staging.folder())
            yield

    def keep_for(
        self,
        *,
        environment: Path | None = None,
        project: Path | None = None,
        warn: Callable[[str], object] = lambda _: None,
    ) -> None:
        """Remember who needs trees: what their receipts, or their lock, name stays.

        :param warn: told of each that cannot be remembered, once.
        :raises CacheUnwritable: if the disk is full.
        """
        needing: dict[RootKind, Path | None] = {
            "environment": environment,
            "project": project,
        }
        for kind, path in needing.items():
            if path is None or path in self._untold:
                continue
            try:
                self.roots.note(kind, path)
            except OSError as error:
                if error.errno not in _NOT_OURS:
                    raise CacheUnwritable(self.root, error) from error
                self._untold.add(path)
                warn(
                    f"`{self.root.parent}` is not yours to write to: whoever prunes "
                    f"that cache cannot know of the {kind} `{path}`"
                )

    @contextmanager
    def removing(
        self, waiting: Callable[[], object] = lambda: None
    ) -> Iterator[Callable[[Path], None]]:
        """Give a function that takes a file or folder of the cache away, in one step.

        The block begins when nobody uses the store, and nobody does until it ends.

        :param waiting: called once if somebody has to be waited for.
        """
        with self._reporting(removing=True), self._staging.alone(waiting) as trash:

            def remove(path: Path) -> None:
                # By a rename: whoever is killed now leaves it here, or gone.
                with suppress(FileNotFoundError):
                    _move(path, trash / f"{path.parent.name}-{path.name}")
                (self.root / _SOURCES / path.name).unlink(missing_ok=True)

            yield remove

    def digests(self) -> tuple[str, ...]:
        """Of every tree that is here, sorted."""
        try:
            names = [each.name for each in (self.root / "sha256").iterdir()]
        except FileNotFoundError:
            return ()
        found = (f"sha256:{name}" for name in sorted(names))
        return tuple(digest for digest in found if _DIGEST.fullmatch(digest))

    def _sources(self, digest: str) -> list[str]:
        try:
            text = self._note_of(digest).read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        return text.splitlines()

    def _note(self, digest: str, source: str) -> None:
        sources = self._sources(digest)
        # A folder's name may have two lines: then its tree is fetched each time.
        if source not in sources and ONE_LINE.fullmatch(source):
            # Of two writers one note may be lost: then its tree is fetched once more.
            text = "".join(f"{each}\n" for each in (*sources, source))
            note = self._note_of(digest)
            note.parent.mkdir(exist_ok=True)
            write_atomically(note, text.encode())

    def _note_of(self, digest: str) -> Path:
        return self.root / _SOURCES / self.path(digest).name

    @cached_property
    def roots(self) -> Roots:
        """Who needs what is here."""
        return Roots(self.root / "roots")

    @cached_property
    def _staging(self) -> Staging:
        return Staging(self.root)

    @contextmanager
    def _reporting(
        self, *, but: frozenset[int] = frozenset(), removing: bool = False
    ) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in but:
                raise CacheUnwritable(self.root, error, removing=removing) from error

    def _fill(self, tree: Path, fill: Callable[[Path], None]) -> None:
        tree.mkdir()
        try:
            fill(tree)
        except OSError as error:
            # What lies in the store is written; any other file was to be read.
            if (
                isinstance(error.filename, str)
                and error.errno not in NO_ROOM
                and not Path(error.filename).is_relative_to(self.root)
            ):
                raise FilesUnreadable(error) from error
            raise

    def _publish(self, tree: Path, digest: str) -> None:
        path = self.path(digest)
        path.parent.mkdir(exist_ok=True)
        try:
            # Rename last: readers take an existing path as complete.
            tree.rename(path)
        except OSError:
            if not path.is_dir():
                raise
            # Another process was first; theirs will do if it still has these bytes.
            self.verify(digest)


def _move(path: Path, trash: Path) -> None:
    """Take ``path`` away in one step, to ``trash`` if that is on the same disk."""
    try:
        path.rename(trash)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = path.with_name(f"{path.name}.gone")
        delete(beside)
        path.rename(beside)
        delete(beside)


def _seal(tree: Path) -> None:
    """Make files read-only and have them on disk before the tree gets its name."""
    for path in tree_files(tree):
        with (tree / path).open("rb") as file:
            (tree / path).chmod(0o444)
            os.fsync(file.fileno())
