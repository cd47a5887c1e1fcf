"""Operators in a folder: ``PATH/<namespace>/<name>/``, with or without a version."""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from hub_client.candidate import Release
from hub_client.listed_file import ListedFile, list_folder
from hub_client.sources import MANIFEST_FILE, MANIFEST_SIZE_LIMIT
from hub_client.tree_digest import DigestMismatch, tree_digest, tree_files
from plugin_spec.errors import HubError, InvalidName
from plugin_spec.manifest import Manifest
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hub_client.candidate import Fetchable


class FolderUnreadable(HubError):
    """A folder that a source points to is missing, or may not be read."""


class DirectorySource:
    """Operators below one folder; a release's revision is its tree digest."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> tuple[OperatorName, ...]:
        """Every operator in the folder, sorted."""
        if not self.path.is_dir():
            return ()
        names = set()
        for pattern in (f"*/*/{MANIFEST_FILE}", f"*/*/*/{MANIFEST_FILE}"):
            for file in self.path.glob(pattern):
                # A folder whose name is no operator's name holds something else.
                with suppress(InvalidName):
                    namespace, name = file.relative_to(self.path).parts[:2]
                    names.add(OperatorName.parse(f"{namespace}/{name}"))
        return tuple(sorted(names))

    def versions(self, name: OperatorName) -> tuple[Release, ...]:
        """Every version of ``name`` in the folder.

        :raises FolderUnreadable: if the source's folder is missing.
        :raises InvalidManifest: if a folder without a version has a broken manifest.
        """
        self.check_folder()
        return tuple(
            Release(version, revision=self._digest(folder))
            for version, folder in _versions(self._folder(name))
        )

    def unhashed_versions(self, name: OperatorName) -> tuple[Release, ...]:
        """As ``versions``, of no revision: for who lists, and reads manifests alone.

        Files may be large, and hashing them slow.
        """
        self.check_folder()
        return tuple(
            Release(version, revision="")
            for version, _ in _versions(self._folder(name))
        )

    def check_folder(self) -> None:
        """Refuse a folder that is not there.

        :raises FolderUnreadable: naming it.
        """
        if not self.path.is_dir():
            raise FolderUnreadable(
                f"The source's folder `{self.path}` does not exist",
                hint="Create it, or correct the path after `dir:`",
            )

    def manifest(self, name: OperatorName, release: Release) -> Manifest:
        """Read ``operator.yaml``."""
        file = self._release_folder(name, release) / MANIFEST_FILE
        return _read_manifest(file).expect(name, release.version, source=str(file))

    def fetch(self, wanted: Fetchable, into: Path) -> None:
        """Copy the regular files; modes and times stay behind.

        :raises DigestMismatch: if the folder changed since its revision was noted.
        """
        folder = self._unchanged_folder(wanted)
        for path in tree_files(folder):
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / path, into / path)

    def files(self, wanted: Fetchable) -> tuple[ListedFile, ...]:
        """Every file of the wanted folder.

        :raises DigestMismatch: if the folder changed since its revision was noted.
        """
        return list_folder(self._unchanged_folder(wanted))

    def holds(self, name: OperatorName, revision: str) -> bool:
        """Whether a folder of ``name`` has these very files; reads no manifest."""
        folder = self._folder(name)
        manifests = (folder / MANIFEST_FILE, *folder.glob(f"*/{MANIFEST_FILE}"))
        return any(
            self._digest(file.parent) == revision
            for file in manifests
            if file.is_file()
        )

    def _folder(self, name: OperatorName) -> Path:
        return self.path / name.namespace / name.name

    def _release_folder(self, name: OperatorName, release: Release) -> Path:
        for version, folder in _versions(self._folder(name)):
            if version == release.version:
                return folder
        raise FolderUnreadable(
            f"{name} {release.version} is no longer in `{self._folder(name)}`",
            hint="Restore the folder, or lock again with `hub lock`",
        )

    def _unchanged_folder(self, wanted: Fetchable) -> Path:
        folder = self._release_folder(wanted.name, wanted.release)
        actual = self._digest(folder)
        if actual != wanted.release.revision:
            raise DigestMismatch(
                f"{wanted.name} {wanted.release.version} in `{folder}`",
                expected=wanted.release.revision,
                actual=actual,
                hint="If the change is yours, run `hub lock --upgrade`; "
                "otherwise restore the folder",
            )
        return folder

    def _digest(self, folder: Path) -> str:
        return tree_digest(folder)


def _versions(folder: Path) -> Iterator[tuple[Version, Path]]:
    """Each version of one operator and its folder, in any order."""
    if (folder / MANIFEST_FILE).exists():
        yield _read_manifest(folder / MANIFEST_FILE).version, folder
        return
    for manifest in sorted(folder.glob(f"*/{MANIFEST_FILE}")):
        try:
            yield Version(manifest.parent.name), manifest.parent
        except InvalidVersion:
            continue


def _read_manifest(file: Path) -> Manifest:
    if file.is_symlink() or not file.is_file():
        raise FolderUnreadable(f"`{file}` is not a regular file")
    try:
        with file.open("rb") as stream:
            text = stream.read(MANIFEST_SIZE_LIMIT)
    except OSError as error:
        raise FolderUnreadable(f"Cannot read `{file}`: {error.strerror}") from error
    return Manifest.from_yaml(text, source=str(file))
