"""Operators in Hugging Face repositories: a version is a tag, pinned to its commit."""

from __future__ import annotations

import os
import re
import shutil
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from hub_client.listed_file import BLOB, ListedFile, digest_like
from hub_client.side_by_side import check_needed, side_by_side
from hub_client.sources import (
    HUGGING_FACE,
    HUGGING_FACE_AT,
    MANIFEST_FILE,
    MANIFEST_SIZE_LIMIT,
)
from hub_client.sources.hugging_face_cache import detach, drop
from hub_client.sources.hugging_face_client import (
    AT_ONCE,
    FileGone,
    HuggingFaceRepository,
    endpoint,
)
from hub_client.sources.hugging_face_notes import RepositoryNotes
from hub_client.sources.hugging_face_transfer import Arrived, TooMuch
from hub_client.sources.signed_release import (
    NOT_FETCHED,
    SIGSTORE_SIZE_LIMIT,
    SignatureUnfetched,
    SignedRelease,
)
from hub_client.sources.version_tags import read_releases
from hub_client.transfer import transfer
from hub_client.tree_digest import (
    MOST_FILES,
    DigestMismatch,
    check_tree_paths,
    listing_digest,
)
from plugin_spec.errors import HubError, InvalidManifest
from plugin_spec.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from packaging.version import Version

    from hub_client.candidate import Fetchable, Release
    from plugin_spec.names import OperatorName

SIGNATURES: Final = "hub-signatures"
"""The branch of a repository that has the sigstore bundles of its releases."""
SIGNATURE_SUFFIX: Final = ".sigstore.json"
# Letters of other alphabets look like these, and are others.
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_SERVER = re.compile(
    r"https?://([A-Za-z0-9][\w.-]*|\[[0-9a-fA-F:]+\])(:\d+)?(/[\w-][\w.-]*)*",
    re.ASCII,
)
_COMMIT = re.compile(r"[0-9a-f]{40}")


class InvalidRepository(HubError, ValueError):
    """A source names no Hugging Face repository."""


class OfflineMiss(HubError):
    """What is asked for is not in the cache, and the network may not be used."""

    def __init__(self, repository: HuggingFaceRepository, what: str) -> None:
        super().__init__(
            f"Offline, and of `{repository.url}`, {what} before",
            hint="Run again without `--offline`, or with HUB_OFFLINE=0",
        )


class InvalidListing(HubError):
    """A server lists what cannot be the files of an operator."""


class HuggingFaceSource:
    """Repositories by one spec, or by one per name through placeholders.

    Files come through the cache of Hugging Face's own tools: a broken transfer goes on
    where it stopped, and what those tools have is not fetched again. Every byte is held
    against the digest that the commit lists for it.
    """

    def __init__(
        self, template: str, *, cache_dir: Path, offline: bool = False
    ) -> None:
        """Take a spec: ``hf:ORG/REPO`` or ``hf+URL/ORG/REPO``."""
        self.template = template
        self._cache_dir = cache_dir
        self._offline = offline

    def versions(self, name: OperatorName) -> tuple[Release, ...]:
        """One release per version tag; other tags and branches do not count.

        A tag ``yanked-v1.0.0`` says that 1.0.0 is withdrawn; the server does not tell
        its message.
        """
        repository = self._repository(name)
        notes = self._notes(repository)
        if not self._offline:
            tags = list_tags(repository)
            notes.note_tags(tags)
        elif not (tags := notes.tags()):
            raise OfflineMiss(repository, "nothing was fetched")
        return read_releases(tags, {})

    def manifest(self, name: OperatorName, release: Release) -> Manifest:
        """Read ``operator.yaml`` of the commit, and nothing else of it."""
        repository = self._repository(name)
        where = f"{repository.url}, {MANIFEST_FILE} at {release.revision}"
        for entry in self._files(repository, release.revision):
            if entry.path == MANIFEST_FILE:
                break
        else:
            raise InvalidManifest(where, [f"there is no `{MANIFEST_FILE}`"])
        if entry.size > MANIFEST_SIZE_LIMIT:
            raise InvalidManifest(where, [f"{entry.size} bytes are too many"])
        file = _file(repository, release.revision, entry, offline=self._offline)
        manifest = Manifest.from_yaml(file.read_bytes(), source=where)
        return manifest.expect(name, release.version, source=where)

    def fetch(self, wanted: Fetchable, into: Path) -> None:
        """Write the files of the wanted commit, several at once."""
        repository, revision = self._repository(wanted.name), wanted.release.revision
        files = self._files(repository, revision)
        what = f"{wanted.name} {wanted.release.version}"

        def write(file: ListedFile) -> None:
            target = into / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            arrived = Arrived(advance, file.size)
            found = _file(
                repository, revision, file, offline=self._offline, arrived=arrived
            )
            check_needed()
            _place(found, target)
            arrived.complete()

        with transfer(what, sum(file.size for file in files)) as advance:
            side_by_side(write, files, AT_ONCE)

    def files(self, wanted: Fetchable) -> tuple[ListedFile, ...]:
        """Every file of the wanted commit, as the server lists them."""
        repository = self._repository(wanted.name)
        return self._files(repository, wanted.release.revision)

    def signed(self, wanted: Fetchable) -> SignedRelease:
        """Where the sigstore bundle of a release is, and what it has to sign."""
        repository, release = self._repository(wanted.name), wanted.release
        notes, file = self._notes(repository), signature_file(release.version)

        def find_bundles() -> Iterator[bytes]:
            known = notes.bundle(release.revision)
            if known is not None:
                yield known
            if self._offline:
                raise SignatureUnfetched(NOT_FETCHED)
            try:
                now = _download_bundle(repository, file)
            except HubError as error:
                raise SignatureUnfetched(str(error)) from error
            if now is not None and now != known:
                notes.note_bundle(release.revision, now)
                yield now

        def digest() -> str:
            return listing_digest(
                {
                    each.path: sha256_of(
                        repository, release.revision, each, offline=self._offline
                    )
                    for each in self._files(repository, release.revision)
                }
            )

        return SignedRelease(
            find_bundles,
            without_bundle=f"its repository's branch `{SIGNATURES}` has no `{file}`",
            tree_digest=digest,
        )

    def _repository(self, name: OperatorName) -> HuggingFaceRepository:
        spec = self.template.replace("{namespace}", name.namespace)
        return parse_spec(spec.replace("{name}", name.name))

    def _notes(self, repository: HuggingFaceRepository) -> RepositoryNotes:
        return RepositoryNotes.open(self._cache_dir, repository.url)

    def _files(
        self, repository: HuggingFaceRepository, commit: str
    ) -> tuple[ListedFile, ...]:
        """Every file of a commit, noted or asked for.

        :raises UnsafeTree: if a path may not be stored.
        """
        notes = self._notes(repository)
        files = notes.files(commit)
        if files is None and self._offline:
            raise OfflineMiss(
                repository, f"the files of commit {commit} were not listed"
            )
        listed = list_files(repository, commit) if files is None else files
        # Before anything is asked for: the client writes whatever the server names.
        check_tree_paths(each.path for each in listed)
        if files is None:
            notes.note_files(commit, listed)
        return listed


def sha256_of(
    repository: HuggingFaceRepository,
    commit: str,
    listed: ListedFile,
    *,
    offline: bool = False,
) -> str:
    """Of one file, as 64 digits; a small one is fetched, as its listing has none."""
    digest = listed.digest
    if digest.startswith(BLOB):
        file = _file(repository, commit, listed, offline=offline)
        digest = digest_like(file, "sha256:")
    return digest.removeprefix("sha256:")


def _file(
    repository: HuggingFaceRepository,
    commit: str,
    listed: ListedFile,
    *,
    offline: bool,
    arrived: Arrived | None = None,
) -> Path:
    """A file in the client's cache, whose bytes are those that the commit lists.

    :raises OfflineMiss: if it is not there, and may not be fetched.
    :raises DigestMismatch: if the server gives others, twice.
    """
    found = repository.cached(listed.path, commit)
    if found is None and offline:
        raise OfflineMiss(
            repository, f"`{listed.path}` of commit {commit} was not fetched"
        )
    if found is None:
        found = _download(repository, commit, listed, arrived)
    if not listed.describes(found):
        # Whatever spoilt the cache, a fresh copy may be right.
        detach(found)
        found = _download(repository, commit, listed, again=True)
    if not listed.describes(found):
        actual = digest_like(found, listed.digest)
        drop(found)
        raise DigestMismatch(
            f"`{repository.url}`, `{listed.path}` at {commit}",
            expected=listed.digest,
            actual=actual,
            hint="Ask its server's operator: it lists one file and sends another",
        )
    return found


def signature_file(version: Version) -> str:
    """The name of a release's sigstore bundle in the branch ``SIGNATURES``."""
    return f"v{version}{SIGNATURE_SUFFIX}"


def _download_bundle(repository: HuggingFaceRepository, file: str) -> bytes | None:
    """A sigstore bundle as it is now, as ``SignedRelease`` gives it."""
    try:
        found = repository.download(file, SIGNATURES, limit=SIGSTORE_SIZE_LIMIT)
    except FileGone:
        return None
    except TooMuch:
        return bytes(SIGSTORE_SIZE_LIMIT + 1)
    return found.read_bytes()


def _download(
    repository: HuggingFaceRepository,
    commit: str,
    listed: ListedFile,
    arrived: Arrived | None = None,
    *,
    again: bool = False,
) -> Path:
    try:
        return repository.download(
            listed.path,
            commit,
            limit=max(listed.size, MANIFEST_SIZE_LIMIT),
            again=again,
            arrived=arrived,
        )
    except FileGone as error:
        raise FileGone(
            f"`{repository.url}` lists `{listed.path}` at {commit}, and does not have "
            "it",
            hint="Ask its publisher, or choose another version",
        ) from error


def list_tags(
    repository: HuggingFaceRepository,
    *,
    waits: Sequence[float] | None = None,
    patience: float | None = None,
) -> dict[str, str]:
    """Commits by ref, of every tag that names a commit.

    :param waits: as ``HuggingFaceRepository.ask`` takes them, and ``patience``.
    """
    refs = repository.ask(
        lambda api: api.list_repo_refs(repository.name), waits=waits, patience=patience
    )
    return {f"refs/tags/{name}": commit for name, commit in _commits(refs.tags)}


def list_branches(repository: HuggingFaceRepository) -> dict[str, str]:
    """The newest commit of every branch."""
    refs = repository.ask(lambda api: api.list_repo_refs(repository.name))
    return dict(_commits(refs.branches))


def _commits(refs: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for ref in refs:
        # Whatever JSON can hold may stand there.
        name, commit = str(ref.name), str(ref.target_commit)
        if _COMMIT.fullmatch(commit):
            yield name, commit


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
        known = _SERVER.fullmatch(server) is not None
    else:
        server, name, known = endpoint(), spec.removeprefix(HUGGING_FACE), True
    # Trust is a matter of spelling: nothing may climb out of what was trusted.
    if not known or not _REPOSITORY.fullmatch(name) or ".." in spec:
        raise InvalidRepository(
            f"expected a Hugging Face repository, got {spec!r}",
            hint="Write `hf:ORG/REPO`, or `hf+https://SERVER/ORG/REPO`",
        )
    return HuggingFaceRepository(name, server)


def list_files(
    repository: HuggingFaceRepository, commit: str
) -> tuple[ListedFile, ...]:
    """Every file of a commit, as the server lists them.

    :raises FileGone: if there is no such commit.
    :raises InvalidListing: if it lists more than it may, or what is no file.
    """

    def ask(api: Any) -> list[Any]:  # noqa: ANN401  (its client's own)
        tree = api.list_repo_tree(repository.name, recursive=True, revision=commit)
        return list(islice(tree, MOST_FILES + 1))

    try:
        listed = repository.ask(ask)
    except FileGone as error:
        raise FileGone(
            f"Commit {commit} is gone from `{repository.url}`",
            hint="Ask its publisher, or choose another version",
        ) from error
    where = f"the files of `{repository.url}` at {commit}"
    if len(listed) > MOST_FILES:
        raise InvalidListing(f"Too many are {where}: more than {MOST_FILES:,}")
    files = tuple(
        ListedFile(
            each.path,
            each.size,
            f"sha256:{each.lfs.sha256}" if each.lfs else f"{BLOB}{each.blob_id}",
        )
        for each in listed
        if hasattr(each, "blob_id")
    )
    for file in files:
        if not file.is_well_typed:
            raise InvalidListing(f"No list of files is {where}: it has {file.path!r}")
    return files


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
