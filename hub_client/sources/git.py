"""Operators in git repositories: a version is a tag, pinned to its commit."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from hub_client.candidate import Release
from hub_client.git_commands import GitFailed
from hub_client.git_url import parse_git_url
from hub_client.lfs_pointer import pointer_digest
from hub_client.listed_file import BLOB, AnyFile, ListedFile, NamedFile
from hub_client.sources import MANIFEST_FILE, MANIFEST_SIZE_LIMIT
from hub_client.sources.git_mirror import GitMirror
from hub_client.sources.git_preview import GitPreview
from hub_client.sources.signed_release import (
    NOT_FETCHED,
    SignatureUnfetched,
    SignedInGit,
    SignedRelease,
)
from hub_client.sources.version_tags import is_yank_tag, read_releases
from hub_client.tree_digest import tree_digest
from plugin_spec.errors import HubError, InvalidManifest
from plugin_spec.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hub_client.candidate import Fetchable
    from hub_client.git_tree import TreeEntry
    from hub_client.git_url import GitUrl
    from hub_client.sources.git_copy import GitCopy, Tag
    from plugin_spec.names import OperatorName

_TOLD: Final = 5


class RepositoryUnreachable(HubError):
    """A repository does not answer, is gone, or may not be read."""


class OfflineMiss(HubError):
    """What is asked for is not in the mirror, and the network may not be used."""


class TagMoved(HubError):
    """A version's tag names another commit than the one that was noted."""


class CommitGone(HubError):
    """A commit is not at its repository, and neither is its tag."""


class PointersOnly(HubError):
    """A commit has pointers of Git LFS where an operator has files."""


class GitSource:
    """Repositories at one URL, or at one URL per name through placeholders."""

    def __init__(
        self,
        url_template: str,
        *,
        cache_dir: Path,
        offline: bool = False,
        trusted: bool = False,
    ) -> None:
        """Ask nothing yet.

        :param trusted: whether a commit may come whole to have its manifest read.
            Otherwise paths and manifest come alone, as far as the server can do that.
        """
        self.url_template = url_template
        self._cache_dir = cache_dir
        self._offline = offline
        self._trusted = trusted

    def versions(self, name: OperatorName) -> tuple[Release, ...]:
        """One release per version tag; offline, those whose commits were fetched.

        Branches do not count, and neither do tags that are not PEP 440. Where two tags
        say one version (``v1`` beside ``v1.0.0``) the longer one is meant. A tag
        ``yanked-v1.0.0`` beside it says that it is withdrawn, and its message why.
        """
        mirror = self._mirror(name)
        told = mirror if self._trusted else self._preview(name)
        tags = mirror.known_tags() if self._offline else self._remote_tags(mirror)
        if self._offline and not tags:
            raise OfflineMiss(
                f"Offline, and nothing of `{mirror.url}` was fetched before",
                hint="Run again without `--offline`, or with HUB_OFFLINE=0",
            )
        if self._offline:
            known = told.known_tags().items()
            tags = {**tags, **{ref: tag for ref, tag in known if is_yank_tag(ref)}}
            reasons = told.known_reasons()
        else:
            reasons = told.yank_reasons(tags)
        commits = {ref: tag.commit for ref, tag in tags.items()}
        return read_releases(commits, reasons)

    def manifest(self, name: OperatorName, release: Release) -> Manifest:
        """Read ``operator.yaml`` from the commit's objects.

        :raises NoPreview: if its server cannot give it alone, and is not trusted.
        """
        copy = self._readable(name, release)
        where = f"{copy.url}, {MANIFEST_FILE} at {release.revision}"
        for entry in copy.entries(release.revision):
            if entry.path == MANIFEST_FILE:
                break
        else:
            raise InvalidManifest(where, [f"there is no `{MANIFEST_FILE}`"])
        size = self._size(copy, entry, f"{name} {release.version}", release)
        if size > MANIFEST_SIZE_LIMIT:
            raise InvalidManifest(where, [f"{size} bytes are too many"])
        text = BytesIO()
        copy.read(entry, text)
        manifest = Manifest.from_yaml(text.getvalue(), source=where)
        return manifest.expect(name, release.version, source=where)

    def fetch(self, wanted: Fetchable, into: Path) -> None:
        """Write the blobs of the wanted commit; git never checks anything out.

        :raises PointersOnly: if Git LFS keeps some of them, which is not asked.
        """
        mirror = self._mirror(wanted.name)
        what = f"{wanted.name} {wanted.release.version}"
        self._bring(mirror, what, wanted.release)
        entries = mirror.write(wanted.release.revision, into)
        pointers = [each.path for each in entries if pointer_digest(into / each.path)]
        if pointers:
            told = ", ".join(f"`{path}`" for path in pointers[:_TOLD])
            more = f" and {len(pointers) - _TOLD} more" * (len(pointers) > _TOLD)
            raise PointersOnly(
                f"{what} from `{mirror.url}` is not complete: "
                f"Git LFS keeps {told}{more}, which the hub does not fetch",
                hint="Ask its publisher to commit the files themselves, or to publish "
                "to Hugging Face",
            )

    def files(self, wanted: Fetchable) -> tuple[AnyFile, ...]:
        """Every file of the wanted commit, by git's own names for their bytes."""
        copy = self._readable(wanted.name, wanted.release)
        return tuple(map(_listed, copy.entries(wanted.release.revision)))

    def signed(self, wanted: Fetchable) -> SignedRelease:
        """Where the wanted commit is, and its tag: either may be signed.

        :raises SignatureUnfetched: if it is not here, and who has it is not trusted.
        """
        mirror, release = self._mirror(wanted.name), wanted.release
        if not self._trusted and not mirror.has(release.revision):
            raise SignatureUnfetched(
                "its source is not trusted, and it was not fetched before"
            )
        self._bring(mirror, f"{wanted.name} {release.version}", release)
        tag = release.ref or f"refs/tags/v{release.version}"

        def find_tags() -> Iterator[str]:
            known = mirror.annotated_tag(tag, release.revision)
            if known is not None:
                yield known
            self._refresh(partial(mirror.fetch_tag, tag))
            now = mirror.annotated_tag(tag, release.revision)
            if now is not None and now != known:
                yield now

        def find_bundles() -> Iterator[bytes]:
            known = mirror.note(release.revision)
            if known is not None:
                yield known
            self._refresh(mirror.fetch_notes)
            now = mirror.note(release.revision)
            if now is not None and now != known:
                yield now

        def digest() -> str:
            with TemporaryDirectory(prefix="hub-signed-") as folder:
                mirror.write(release.revision, Path(folder))
                return tree_digest(Path(folder))

        git = SignedInGit(mirror.path, release.revision, find_tags, digest)
        return SignedRelease(
            find_bundles,
            without_bundle="its commit has no such note",
            tree_digest=digest,
            open_git=lambda: nullcontext(git),
        )

    def _refresh(self, fetch: Callable[[], object]) -> None:
        """Fetch what may be signed, if it is there.

        :raises SignatureUnfetched: if that cannot be told.
        """
        if self._offline:
            raise SignatureUnfetched(NOT_FETCHED)
        try:
            fetch()
        except GitFailed as error:
            raise SignatureUnfetched(error.reason) from error

    def _url(self, name: OperatorName) -> GitUrl:
        url = self.url_template.replace("{namespace}", name.namespace)
        return parse_git_url(url.replace("{name}", name.name))

    def _mirror(self, name: OperatorName) -> GitMirror:
        return GitMirror(self._url(name), self._cache_dir)

    def _preview(self, name: OperatorName) -> GitPreview:
        return GitPreview(self._url(name), self._cache_dir)

    def _readable(self, name: OperatorName, release: Release) -> GitCopy:
        """Where the release's paths and manifest can be read."""
        mirror = self._mirror(name)
        whole = self._trusted or mirror.has(release.revision)
        copy = mirror if whole else self._preview(name)
        self._bring(copy, f"{name} {release.version}", release)
        return copy

    def _remote_tags(self, mirror: GitMirror) -> Mapping[str, Tag]:
        try:
            return mirror.remote_tags()
        except GitFailed as error:
            raise RepositoryUnreachable(
                f"Cannot list the versions at `{mirror.url}`: {error.reason}",
                hint="Check the address, your network and that you may read it",
            ) from error

    def _size(
        self, copy: GitCopy, entry: TreeEntry, what: str, release: Release
    ) -> int:
        """Bytes of a file, which is here then."""
        size = copy.size(entry)
        if size is None:
            if self._offline:
                raise _offline_miss(what, release)
            try:
                copy.bring(entry)
            except GitFailed as error:
                raise _unreachable(copy, what, release, error) from error
            size = copy.size(entry)
        assert size is not None  # it was asked for, and git missed nothing
        return size

    def _bring(self, copy: GitCopy, what: str, release: Release) -> None:
        """Have the release's commit in a copy: there, by its id, or by its tag."""
        commit = release.revision
        if copy.has(commit):
            return
        if self._offline:
            raise _offline_miss(what, release)
        tag = release.ref or f"refs/tags/v{release.version}"
        try:
            copy.fetch(commit, tag)
        except GitFailed as refusal:
            _bring_by_tag(copy, what, Release(release.version, commit, tag), refusal)


def _listed(entry: TreeEntry) -> AnyFile:
    digest = f"{BLOB}{entry.object_id}"
    if entry.size is None:
        return NamedFile(entry.path, digest)
    return ListedFile(entry.path, entry.size, digest)


def _bring_by_tag(
    copy: GitCopy, what: str, release: Release, refusal: GitFailed
) -> None:
    """Get the commit from a server that gives only what its refs name."""
    tag = str(release.ref)
    try:
        found = copy.remote_tags().get(tag)
        now = found and found.commit
        if now == release.revision:
            now = copy.fetch(tag, tag)
    except GitFailed as error:
        raise _unreachable(copy, what, release, error) from error
    if now is None:
        raise CommitGone(
            f"Commit {release.revision} of {what} is gone from `{copy.url}`\n"
            f"  the server says: {refusal.reason}\n"
            f"  and there is no `{tag}` any more",
            hint="Ask its publisher, or choose another version with `hub lock`",
        ) from refusal
    if now != release.revision:
        raise TagMoved(
            f"`{tag}` of {what} was moved at `{copy.url}`\n"
            f"  expected commit {release.revision}\n"
            f"  found    commit {now}",
            hint="Ask its publisher why; if you accept the new commit, "
            "run `hub lock --upgrade`",
        ) from refusal


def _offline_miss(what: str, release: Release) -> OfflineMiss:
    return OfflineMiss(
        f"Offline, and commit {release.revision} of {what} was not fetched before",
        hint="Run again without `--offline`, or with HUB_OFFLINE=0",
    )


def _unreachable(
    copy: GitCopy, what: str, release: Release, error: GitFailed
) -> RepositoryUnreachable:
    return RepositoryUnreachable(
        f"Cannot fetch commit {release.revision} of {what}\n"
        f"  the copy in `{copy.path}` does not have it\n"
        f"  `{copy.url}` says: {error.reason}",
        hint="Check the address, your network and that you may read it; "
        "a machine that installed it has it in its store",
    )
