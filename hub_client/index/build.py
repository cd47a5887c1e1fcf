"""Making an index and keeping it up to date: a folder that its keeper commits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TYPE_CHECKING, Final, Literal

from hub_client.atomic_file import check_within, write_atomically
from hub_client.candidate import Candidate, ReleaseGone
from hub_client.index.entry import (
    FOLDER,
    SIZE_LIMIT,
    SUFFIX,
    IndexedVersion,
    IndexEntry,
    InvalidEntry,
    entry_path,
)
from hub_client.sources.git import PointersOnly
from hub_client.tree_digest import UnsafeTree, tree_digest
from plugin_spec.errors import HubError, InvalidManifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from packaging.version import Version

    from hub_client.candidate import Release
    from hub_client.index.listing import Listed
    from hub_client.sources import Source
    from plugin_spec.names import OperatorName


_UNUSABLE: Final = (InvalidManifest, PointersOnly, ReleaseGone, UnsafeTree)
"""What is wrong with a version that nobody could install, now or later."""


class VersionChanged(HubError):
    """A version that is indexed is another one at its source now."""

    def __init__(
        self, listed: Listed, version: Version, expected: str, actual: str
    ) -> None:
        super().__init__(
            f"{listed.name} {version} at `{listed.source}` "
            "is not what was indexed\n"
            f"  indexed {expected}\n"
            f"  found   {actual}",
            hint="Ask its publisher why: a version that is published stays",
        )


class NothingListed(HubError):
    """An operator has no version that an index can list."""

    def __init__(self, listed: Listed, left_out: Iterable[Change]) -> None:
        lines = "".join(f"\n  {each.version}: {each.note}" for each in left_out)
        super().__init__(
            f"{listed.name} has no version at `{listed.source}` that an index can list"
            f"{lines}",
            hint="`hub check` says what has to be mended before the next version"
            if lines
            else "Its publisher has to publish one first",
        )


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one version."""

    kind: Literal["add", "yank", "restore", "move", "skip", "gone"]
    name: OperatorName
    version: Version
    note: str = ""
    """Why it is yanked or skipped; where it moved to."""

    def to_dict(self) -> dict[str, str]:
        """The change as JSON values."""
        return {
            "action": self.kind,
            "name": str(self.name),
            "version": str(self.version),
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Reading:
    """Reads versions of one operator; nothing of it runs."""

    listed: Listed
    source: Source
    on_read: Callable[[Release], object]

    def read(self, release: Release) -> IndexedVersion:
        """Fetch the files into a folder that is gone afterwards, and hash them."""
        self.on_read(release)
        name, spec = self.listed
        manifest = self.source.manifest(name, release)
        with TemporaryDirectory(prefix="hub-index-") as folder:
            candidate = Candidate(name, release, spec, manifest)
            self.source.fetch(candidate, Path(folder))
            digest = tree_digest(Path(folder))
        return IndexedVersion(
            version=release.version,
            source=spec,
            ref=release.ref or f"refs/tags/v{release.version}",
            commit=release.revision,
            tree=digest,
            operator=manifest.to_dict(),
            yanked=release.yanked,
        )

    def recheck(
        self,
        known: Mapping[Version, IndexedVersion],
        releases: Mapping[Version, Release],
    ) -> None:
        """Read again what is indexed.

        :raises VersionChanged: if files are others now.
        """
        for version in sorted(known.keys() & releases.keys()):
            digest = self.read(releases[version]).tree
            if digest != known[version].tree:
                tree = known[version].tree
                raise VersionChanged(self.listed, version, tree, digest)


@dataclass(frozen=True, slots=True)
class IndexFolder:
    """An index as files: what it lists stays listed, and only new versions are read."""

    path: Path

    def check_writable(self) -> None:
        """Refuse a folder that cannot be written, before any source is read.

        :raises OSError: naming it.
        """
        folder = self.path.absolute() / FOLDER
        while not (folder.exists() or folder.is_symlink()):
            folder = folder.parent
        try:
            with TemporaryFile(dir=folder):
                pass
        except OSError as error:
            error.filename = str(self.path)
            raise

    def read(self, name: OperatorName) -> IndexEntry | None:
        """The entry of an operator, if it has one.

        :raises InvalidEntry: if its file is none.
        """
        file = self.path / entry_path(name)
        if not file.is_file():
            return None
        return IndexEntry.parse(name, file.read_bytes(), where=str(file))

    def update(
        self,
        listed: Listed,
        source: Source,
        *,
        recheck: bool = False,
        on_read: Callable[[Release], object] = lambda _: None,
    ) -> tuple[Change, ...]:
        """Bring one operator's entry up to date; written whole, or not at all.

        Nothing of the operator runs. A version that left its source stays indexed.

        :param recheck: whether to fetch and hash also what is indexed.
        :param on_read: told each version before its files are fetched.
        :raises VersionChanged: if an indexed version has another commit, or other
            files, now.
        :raises NothingListed: if there would be none.
        :raises InvalidEntry: if there would be so many that nobody could read them.
        :raises HubError: if the source cannot be read.
        """
        before = self.read(listed.name)
        known = {each.version: each for each in before.versions} if before else {}
        releases = {each.version: each for each in source.versions(listed.name)}
        for version in known.keys() & releases.keys():
            _check_unchanged(listed, known[version], releases[version])
        reading = Reading(listed, source, on_read)
        if recheck:
            reading.recheck(known, releases)
        changes = [
            Change("gone", listed.name, each) for each in known.keys() - releases.keys()
        ]
        after = dict(known)
        for version, release in releases.items():
            if version in known:
                after[version] = _renewed(known[version], release, listed.source)
                changes += _differences(listed.name, known[version], after[version])
                continue
            try:
                after[version] = reading.read(release)
                changes.append(Change("add", listed.name, version))
            except _UNUSABLE as error:
                # Nobody could install it; other versions are none the worse.
                changes.append(Change("skip", listed.name, version, str(error)))
        if not after:
            raise NothingListed(listed, changes)
        if after != known:
            self._write(IndexEntry(listed.name, tuple(after.values())))
        return tuple(sorted(changes, key=lambda each: each.version))

    def count(self) -> tuple[int, int]:
        """How many operators the folder lists, and how many versions of them."""
        files = list(self.path.glob(f"{FOLDER}/*/*{SUFFIX}"))
        lines = (line for file in files for line in file.read_bytes().split(b"\n"))
        # What an unfinished merge left is no version.
        return len(files), sum(line.startswith(b"{") for line in lines)

    def _write(self, entry: IndexEntry) -> None:
        file = self.path / entry_path(entry.name)
        check_within(file, self.path)
        text = entry.to_bytes()
        if len(text) > SIZE_LIMIT:
            problem = f"{len(text):,} bytes, of {SIZE_LIMIT:,} that it may have"
            hint = "Ask its publisher for shorter manifests"
            raise InvalidEntry(str(file), [problem], hint=hint)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, text)


def _check_unchanged(listed: Listed, old: IndexedVersion, release: Release) -> None:
    if old.commit != release.revision:
        raise VersionChanged(listed, old.version, old.commit, release.revision)


def _renewed(old: IndexedVersion, release: Release, source: str) -> IndexedVersion:
    return replace(old, source=source, yanked=release.yanked)


def _differences(
    name: OperatorName, old: IndexedVersion, new: IndexedVersion
) -> Iterator[Change]:
    if old.source != new.source:
        yield Change("move", name, new.version, new.source)
    if old.yanked != new.yanked and new.yanked is None:
        yield Change("restore", name, new.version)
    elif old.yanked != new.yanked:
        yield Change("yank", name, new.version, new.yanked or "")
