"""The cache as a whole: how much there is, what may go, and whether it is sound."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from hub_client.bundle.arriving import Arriving
from hub_client.origin import read_origin
from hub_client.roots import Root
from hub_client.sources import MANIFEST_FILE
from hub_client.store import Store
from hub_client.tree_digest import UnsafeTree, tree_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Kind: TypeAlias = Literal["operators", "repositories", "indexes", "unfinished"]
"""Trees of operators; mirrors and notes of where they are from; catalogues of searches;
and what processes are at, or were when they were killed."""

_KEPT_FOLDERS: dict[str, Kind] = {
    "git": "repositories",
    "hugging-face": "repositories",
    "search": "indexes",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or folder of the cache that stays or goes as a whole."""

    kind: Kind
    subject: str
    """An operator and its version, the address of what was copied, or else the name of
    the file or folder."""
    path: Path
    size: int
    """Bytes of its files."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes, and why the rest stays."""

    entries: tuple[Entry, ...]
    living: tuple[Root, ...]
    """Environments and projects whose trees stay."""
    gone: tuple[Root, ...]
    """Those that are not there any more: they need nothing, and are forgotten."""

    @property
    def size(self) -> int:
        """Bytes that become free."""
        return sum(each.size for each in self.entries)

    def to_dict(self) -> dict[str, Any]:
        """The removal as JSON values."""
        return {
            "removed": [
                {
                    "kind": each.kind,
                    "subject": each.subject,
                    "path": str(each.path),
                    "size": each.size,
                }
                for each in self.entries
            ],
            "size": self.size,
            "living": [_root_to_dict(each) for each in self.living],
            "gone": [_root_to_dict(each) for each in self.gone],
        }


@dataclass(frozen=True, slots=True)
class DamagedTree:
    """A tree in the store that is not what its name says."""

    digest: str
    entry: Entry
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cache:
    """The folder in which everything lies that was fetched."""

    folder: Path
    current: Path | None = None
    """The environment of this process: it is living, whether it was noted or not."""
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "store", Store(self.folder / "store"))

    def entries(self) -> Iterator[Entry]:
        """All that is here, trees first; what goes meanwhile is passed over."""
        for digest in self.store.digests():
            yield self._tree(digest)
        for folder, kind in _KEPT_FOLDERS.items():
            for path in _children(self.folder / folder):
                if path.suffix != ".lock":
                    yield _entry(kind, path)
        for path in (*_children(self.store.root / "staging"), *self._arriving.files()):
            yield _entry("unfinished", path)

    def prune(
        self,
        *,
        dry_run: bool = False,
        waiting: Callable[[], object] = lambda: None,
    ) -> Removal:
        """Remove the trees that no living environment or known project needs.

        What killed processes left is swept, too, and so are the wheels of a sync from
        a bundle that failed.

        :param waiting: called once if other commands have to end first.
        :raises UnknownNeed: if that cannot be told; then nothing is removed.
        :raises CacheUnwritable: if the folder cannot be written.
        """
        return self._removed(
            lambda each, needed: each.path.name not in needed,
            kinds={"operators"},
            dry_run=dry_run,
            waiting=waiting,
        )

    def clean(
        self,
        *,
        everything: bool = False,
        dry_run: bool = False,
        waiting: Callable[[], object] = lambda: None,
    ) -> Removal:
        """Remove all that can be fetched again and that nothing is run from.

        :param everything: remove trees that are needed, too.
        :raises UnknownNeed: as ``prune``.
        :raises CacheUnwritable: as ``prune``.
        """
        return self._removed(
            lambda each, needed: (
                everything or each.kind != "operators" or each.path.name not in needed
            ),
            kinds={"operators", "repositories", "indexes"},
            dry_run=dry_run,
            waiting=waiting,
        )

    def verify(self) -> Iterator[tuple[str, DamagedTree | None]]:
        """Hash every tree again; gives each digest, and what is wrong with the tree.

        Nothing is removed while it goes on.
        """
        with self.store.in_use():
            for digest in self.store.digests():
                problems = _problems(self.store.path(digest), digest)
                if problems and self.store.has(digest):
                    yield digest, DamagedTree(digest, self._tree(digest), problems)
                else:
                    yield digest, None

    def roots(self) -> tuple[Root, ...]:
        """Every environment and project that is known, living or not."""
        roots = tuple(self.store.roots)
        if self.current is None or any(
            (each.kind, each.path) == ("environment", self.current) for each in roots
        ):
            return roots
        return (*roots, Root("environment", self.current))

    def _removed(
        self,
        goes: Callable[[Entry, set[str]], bool],
        *,
        kinds: set[Kind],
        dry_run: bool,
        waiting: Callable[[], object],
    ) -> Removal:
        if not self.folder.exists():
            return Removal((), (), ())
        if dry_run:
            return self._removal(goes, kinds, unused=True)
        with self.store.removing(waiting) as remove, self._arriving.unused() as unused:
            removal = self._removal(goes, kinds, unused=unused)
            for each in removal.entries:
                remove(each.path)
            for root in removal.gone:
                if root.note is not None:
                    root.note.unlink(missing_ok=True)
        return removal

    def _removal(
        self,
        goes: Callable[[Entry, set[str]], bool],
        kinds: set[Kind],
        *,
        unused: bool,
    ) -> Removal:
        """What goes, and of what is arriving all that is ``unused``."""
        roots = self.roots()
        living = tuple(each for each in roots if each.is_living)
        needed = {
            digest.removeprefix("sha256:")
            for root in living
            for digest in root.digests()
        }
        entries = tuple(
            each
            for each in self.entries()
            if (each.kind in kinds and goes(each, needed))
            or (each.path.parent == self._arriving.path and unused)
        )
        gone = tuple(each for each in roots if each not in living)
        return Removal(entries, living, gone)

    @property
    def _arriving(self) -> Arriving:
        return Arriving.of(self.folder)

    def _tree(self, digest: str) -> Entry:
        path = self.store.path(digest)
        return Entry("operators", _subject(path) or digest, path, _size(path))


def _root_to_dict(root: Root) -> dict[str, str]:
    return {"kind": root.kind, "path": str(root.path)}


def _entry(kind: Kind, path: Path) -> Entry:
    origin = read_origin(path.with_suffix(""))
    # Beside the mirror of an index lies when that was asked.
    asked = " (when it was asked)" if origin and path.suffix == ".asked" else ""
    return Entry(kind, f"{origin or path.name}{asked}", path, _size(path))


def _children(folder: Path) -> Sequence[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder, as far as they are there."""
    total = 0
    with suppress(FileNotFoundError):
        if not path.is_dir():
            return path.stat().st_size
    for parent, _, names in os.walk(path):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(parent, name).lstat().st_size
    return total


def _subject(tree: Path) -> str | None:
    """The operator and version that a tree says it is; None if it does not."""
    from plugin_spec.errors import InvalidManifest  # noqa: PLC0415  (slow)
    from plugin_spec.manifest import Manifest  # noqa: PLC0415

    try:
        manifest = Manifest.from_yaml((tree / MANIFEST_FILE).read_bytes())
    except (OSError, InvalidManifest):
        return None
    return f"{manifest.name} {manifest.version}"


def _problems(folder: Path, digest: str) -> tuple[str, ...]:
    """Why a tree is not the one of this digest; none if it is."""
    try:
        actual = tree_digest(folder)
    except UnsafeTree as error:
        return error.problems
    except OSError as error:
        return (f"cannot read `{error.filename}`: {error.strerror or error}",)
    return () if actual == digest else (f"expected {digest}", f"found    {actual}")
