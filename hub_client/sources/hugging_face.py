"""Operators in Hugging Face repositories: a version is a tag, pinned to its commit."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from packaging.version import InvalidVersion, Version

from hub_client.candidate import WITHDRAWN, Release
from hub_client.listed_file import ListedFile
from hub_client.sources import (
    HUGGING_FACE,
    HUGGING_FACE_AT,
    MANIFEST_FILE,
    MANIFEST_SIZE_LIMIT,
)
from hub_client.sources.hugging_face_client import (
    HuggingFaceRepository,
    endpoint,
)
from hub_client.tree_digest import DigestMismatch, check_tree_paths
from plugin_spec.errors import HubError, InvalidManifest
from plugin_spec.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub_client.candidate import Fetchable
    from plugin_spec.names import OperatorName

_AT_ONCE: Final = 4
"""Files that are fetched side by side."""
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TAG = re.compile(r"(?P<yanked>yanked-)?v(?P<version>.+)")


class InvalidRepository(HubError, ValueError):
    """A source names no Hugging Face repository."""


class OfflineMiss(HubError):
    """What is asked for is not in the cache, and the network may not be used."""


class HuggingFaceSource:
    """Repositories by one spec, or by one per name through placeholders.

    Files come through the cache of Hugging Face's own tools: a broken transfer goes on
    where it stopped, and what those tools have is not fetched again. Every byte is held
    against the digest that the commit lists for it.
    """

    def __init__(self, template: str, *, offline: bool = False) -> None:
        """Take a spec: ``hf:ORG/REPO`` or ``hf+URL/ORG/REPO``."""
        self.template = template
        self._offline = offline

    def versions(self, name: OperatorName) -> tuple[Release, ...]:
        """One release per version tag; other tags and branches do not count.

        A tag ``yanked-v1.0.0`` says that 1.0.0 is withdrawn; the server does not tell
        its message.
        """
        repository = self._repository(name)
        self._check_online(f"the versions of `{repository.url}`")
        refs = repository.ask(lambda api: api.list_repo_refs(repository.name))
        return read_releases({tag.name: tag.target_commit for tag in refs.tags})

    def manifest(self, name: OperatorName, release: Release) -> Manifest:
        """Read ``operator.yaml`` of the commit, and nothing else of it."""
        repository = self._repository(name)
        where = f"{repository.url}, {MANIFEST_FILE} at {release.revision}"
        entries = self._entries(repository, release.revision)
        if MANIFEST_FILE not in entries:
            raise InvalidManifest(where, [f"there is no `{MANIFEST_FILE}`"])
        entry = entries[MANIFEST_FILE]
        if entry.size > MANIFEST_SIZE_LIMIT:
            raise InvalidManifest(where, [f"{entry.size} bytes are too many"])
        file = self._file(repository, release.revision, entry)
        manifest = Manifest.from_yaml(file.read_bytes(), source=where)
        return manifest.expect(name, release.version, source=where)

    def fetch(self, wanted: Fetchable, into: Path) -> None:
        """Write the files of the wanted commit, several at once."""
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (as it runs)

        repository, revision = self._repository(wanted.name), wanted.release.revision
        entries = self._entries(repository, revision)

        def write(entry: Any) -> None:  # noqa: ANN401  (the client's RepoFile)
            target = into / entry.path
            target.parent.mkdir(parents=True, exist_ok=True)
            _place(self._file(repository, revision, entry), target)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            try:
                for _ in pool.map(write, entries.values()):
                    pass
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def files(self, wanted: Fetchable) -> tuple[ListedFile, ...]:
        """Every file of the wanted commit, as the server lists them."""
        repository = self._repository(wanted.name)
        entries = self._entries(repository, wanted.release.revision).values()
        return tuple(
            ListedFile(each.path, each.size, listed_digest(each)) for each in entries
        )

    def _repository(self, name: OperatorName) -> HuggingFaceRepository:
        spec = self.template.replace("{namespace}", name.namespace)
        return parse_spec(spec.replace("{name}", name.name))

    def _check_online(self, what: str) -> None:
        if self._offline:
            raise OfflineMiss(
                f"Offline, and {what} would have to be asked for",
                hint="Run again without `--offline` or HUB_OFFLINE",
            )

    def _entries(
        self, repository: HuggingFaceRepository, commit: str
    ) -> Mapping[str, Any]:
        """Every file of a commit by path, with its size and digest.

        :raises UnsafeTree: if a path may not be stored.
        """
        self._check_online(f"the files of `{repository.url}` at {commit}")
        listed = repository.ask(
            lambda api: list(
                api.list_repo_tree(repository.name, recursive=True, revision=commit)
            )
        )
        files = [entry for entry in listed if hasattr(entry, "blob_id")]
        # Before anything is asked for: the client writes whatever the server names.
        check_tree_paths(entry.path for entry in files)
        return {entry.path: entry for entry in files}

    def _file(self, repository: HuggingFaceRepository, commit: str, entry: Any) -> Path:  # noqa: ANN401
        """A file in the client's cache, whose bytes are those that the commit lists.

        :raises DigestMismatch: if the server gives others, twice.
        """

        def download(*, again: bool) -> Path:
            return Path(
                repository.ask(
                    lambda api: api.hf_hub_download(
                        repository.name,
                        entry.path,
                        revision=commit,
                        force_download=again,
                    )
                )
            )

        found = download(again=False)
        if digest_as(found, entry) != listed_digest(entry):
            # Whatever spoilt the cache, a fresh copy may be right.
            found = download(again=True)
        actual = digest_as(found, entry)
        if actual != listed_digest(entry):
            found.resolve().unlink(missing_ok=True)
            raise DigestMismatch(
                f"`{repository.url}`, `{entry.path}` at {commit}",
                expected=listed_digest(entry),
                actual=actual,
                hint="Ask its server's operator: it lists one file and sends another",
            )
        return found


def read_releases(tags: Mapping[str, str]) -> tuple[Release, ...]:
    """One release per version tag, as the tags beside them say whether it is yanked.

    :param tags: commits by a tag's name.
    """
    releases: dict[Version, Release] = {}
    yanked: set[Version] = set()
    for tag, commit in sorted(tags.items(), key=lambda item: len(item[0])):
        match = _TAG.fullmatch(tag)
        if match is None or not _COMMIT.fullmatch(commit):
            continue
        try:
            version = Version(match["version"])
        except InvalidVersion:
            continue
        if match["yanked"]:
            yanked.add(version)
        else:
            releases[version] = Release(version, commit, f"refs/tags/{tag}")
    return tuple(
        replace(release, yanked=WITHDRAWN if version in yanked else None)
        for version, release in releases.items()
    )


def parse_spec(spec: str) -> HuggingFaceRepository:
    """Read ``hf:ORG/REPO`` or ``hf+URL/ORG/REPO``.

    >>> parse_spec("hf+https://hub.example.org/acme/op").endpoint
    'https://hub.example.org'

    :raises InvalidRepository: if it names none.
    """
    if spec.startswith(HUGGING_FACE_AT):
        address = spec.removeprefix(HUGGING_FACE_AT).rstrip("/")
        server, _, rest = address.rpartition("/")
        server, _, organization = server.rpartition("/")
        name = f"{organization}/{rest}"
        known = server.startswith(("https://", "http://")) and not server.endswith("/")
    else:
        server, name, known = endpoint(), spec.removeprefix(HUGGING_FACE), True
    if not known or not _REPOSITORY.fullmatch(name) or ".." in name:
        raise InvalidRepository(
            f"expected a Hugging Face repository, got {spec!r}",
            hint="Write `hf:ORG/REPO`, or `hf+https://SERVER/ORG/REPO`",
        )
    return HuggingFaceRepository(name, server)


def listed_digest(entry: Any) -> str:  # noqa: ANN401  (the client's RepoFile)
    """The digest that a commit lists: sha256 of a large file, git's id of another."""
    return f"sha256:{entry.lfs.sha256}" if entry.lfs else f"blob {entry.blob_id}"


def digest_as(file: Path, entry: Any) -> str:  # noqa: ANN401
    """The file's digest, of the kind that a commit lists for ``entry``."""
    with file.open("rb") as content:
        if entry.lfs:
            return f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"
        # How git names a file: SHA-1 is its choice, and the tree's own digest is ours.
        head = b"blob %d\0" % os.fstat(content.fileno()).st_size
        named = hashlib.sha1(head + content.read(), usedforsecurity=False)
        return f"blob {named.hexdigest()}"


def _place(file: Path, target: Path) -> None:
    """Put a cached file into a tree; a large one is not kept twice on one disk."""
    content = file.resolve()
    if content.stat().st_size > MANIFEST_SIZE_LIMIT:
        try:
            os.link(content, target)
        except OSError:
            pass  # another disk, or no links there
        else:
            return
    shutil.copyfile(content, target)
