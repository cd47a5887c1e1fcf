"""A bare repository in the cache that has some of what one at a URL has."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager, suppress
from errno import ENOSPC
from itertools import chain
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from filelock import FileLock

from hub_client.candidate import ReleaseGone, read_reason
from hub_client.git_commands import GitFailed, TooLong, open_objects, run_git
from hub_client.git_tree import TreeEntry, tree_entries
from hub_client.git_url import is_whole
from hub_client.origin import note_origin
from hub_client.sources.version_tags import is_version_tag, is_yank_tag
from hub_client.store import CacheUnwritable
from hub_client.tree_digest import UnsafeTree
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from hub_client.git_url import GitUrl

OURS: Final = "refs/hub/"
"""How each ref begins that is written here; that of a tag goes on as the tag's does."""
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NO_ROOM: Final = 1 << 16
"""Bytes; with fewer free, not even a small file can be counted on."""
_LEFT_BEHIND: Final = ("*.lock", "refs/**/*.lock", "objects/pack/tmp_*")
_SHALLOW: Final = (
    "--quiet",
    "--depth=1",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
    "--no-recurse-submodules",
)


class InvalidRevision(HubError, ValueError):
    """A revision is not a full commit id, or a ref is not that of a version's tag."""


class NoCommit(ReleaseGone):
    """A version's tag names something else than a commit."""


class Tag(NamedTuple):
    """What a tag's ref names."""

    object_id: str
    """The tag's own, which changes with its message; a plain tag has its commit's."""
    commit: str


class GitCopy:
    """Fetches from one URL and reads what came; no work tree, ever."""

    _filters: tuple[str, ...] = ()
    _settings: Mapping[str, str] = MappingProxyType({})
    _file_limit: int | None = None
    """What one fetch is, as ``run_git`` takes it."""
    _purpose = ""
    """Follows the address, where people are told of it."""

    def __init__(self, url: GitUrl, path: Path) -> None:
        self.url = url
        self.path = path

    def remote_tags(self) -> dict[str, Tag]:
        """Tags of versions at the URL, and those that say which are yanked.

        :raises GitFailed: if the URL does not answer.
        """
        listing = run_git("ls-remote", "--tags", "--", str(self.url), remote=True)
        return _tags(listing)

    def known_tags(self) -> dict[str, Tag]:
        """The same of what was fetched."""
        if not is_whole(self.path):
            return {}
        listing = run_git(
            "for-each-ref",
            "--format=%(objectname)\t%(refname)%0a%(*objectname)\t%(refname)^{}",
            f"{OURS}tags/",
            git_dir=self.path,
        )
        return _tags(listing.replace(OURS.encode(), b"refs/"))

    def yank_reasons(self, tags: Mapping[str, Tag]) -> dict[str, str]:
        """The message of each tag that says a version is yanked, by ref.

        Messages that are not here are fetched, all at once; a tag without one is left
        out, and so is every new one if they cannot be had.

        :param tags: all there are at the URL.
        """
        wanted = {ref: tag for ref, tag in tags.items() if is_yank_tag(ref)}
        known = {ref: t for ref, t in self.known_tags().items() if is_yank_tag(ref)}
        if not wanted and not known:
            return {}
        new = [ref for ref, tag in wanted.items() if known.get(ref) != tag]
        gone = known.keys() - wanted.keys()
        if new or gone:
            like = next((each.commit for each in wanted.values()), "")
            with suppress(HubError), self._locked(like):
                for ref in gone:
                    words = ("-d", "--", ref.replace("refs/", OURS, 1))
                    run_git("update-ref", *words, git_dir=self.path)
                if new:
                    self._run_fetch(
                        *(f"+{r}:{r.replace('refs/', OURS, 1)}" for r in new)
                    )
        return self.known_reasons()

    def known_reasons(self) -> dict[str, str]:
        """The messages that were fetched before, by ref, as ``read_reason`` keeps them.

        Empty if they are so long that git is ended before it printed them.
        """
        if not is_whole(self.path):
            return {}
        try:
            listing = run_git(
                "for-each-ref",
                "--format=%(objecttype)\t%(refname)\t%(contents:subject)",
                f"{OURS}tags/",
                git_dir=self.path,
            )
        except TooLong:
            return {}
        # No line of ours ends otherwise, and a message may have other ends in it.
        lines = listing.decode(errors="replace").split("\n")[:-1]
        return {
            ref.replace(OURS, "refs/", 1): read_reason(message)
            for kind, ref, message in (line.split("\t", 2) for line in lines)
            if kind == "tag"
        }

    def has(self, commit: str) -> bool:
        """Whether the commit was fetched completely."""
        return is_whole(self.path) and (
            (self.path / _marker(full_id(commit))).is_file()
        )

    def fetch(self, wanted: str, tag: str) -> str:
        """Fetch one commit without its history, and remember that ``tag`` names it.

        :param wanted: the full id of a commit; or ``tag`` itself, for servers that
            give nothing else.
        :returns: the id of the commit.
        :raises GitFailed: if the server does not give it.
        :raises NoCommit: if it is none.
        :raises UnsafeTree: if its objects are malformed.
        :raises CacheUnwritable: if the disk is full or read-only.
        """
        ours = our_tag(tag)
        refspec = f"+{wanted if wanted == tag else full_id(wanted)}:{ours}"
        named = f"{ours}^{{commit}}"
        with self._locked(wanted):
            if wanted != tag and self.has(wanted):
                return wanted  # another process was first, while this one waited
            self._run_fetch(refspec)
            try:
                answer = run_git("rev-parse", "--verify", named, git_dir=self.path)
            except GitFailed as error:
                raise NoCommit(
                    f"`{tag}` at `{self.url}` names no commit",
                    hint="Ask its publisher: a version is a commit",
                ) from error
            commit = answer.decode().strip()
            self._check_arrived(commit)
            # Last: the marker says that the commit is here, completely.
            run_git("update-ref", "--", _marker(commit), commit, git_dir=self.path)
        return commit

    def _check_arrived(self, commit: str) -> None:
        """Refuse a commit that lacks what it should have; git checks that itself."""

    def entries(self, commit: str) -> tuple[TreeEntry, ...]:
        """Every file of a commit, sorted by path.

        :raises UnsafeTree: if it holds a link, a submodule or an unsafe path.
        """
        return tree_entries(self.path, full_id(commit), sizes=not self._filters)

    def size(self, entry: TreeEntry) -> int | None:
        """Bytes of a file; None if it is not here."""
        return entry.size

    def bring(self, entry: TreeEntry) -> None:
        """Have a file here that is not.

        :raises GitFailed: if the server does not give it.
        :raises CacheUnwritable: as ``fetch``.
        """
        with self._locked(entry.object_id):
            self._run_fetch(entry.object_id)

    def read(self, entry: TreeEntry, into: IO[bytes]) -> None:
        """Copy one file's bytes, exactly as they were committed."""
        with open_objects(self.path) as copy:
            copy(entry.object_id, into)

    @contextmanager
    def _locked(self, object_id: str = "") -> Iterator[None]:
        """Hold it for writing: made if it is new, cleared of a killed git.

        :param object_id: one of the repository's, which tells what a new one hashes
            with.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock"):
                self._clear()
                try:
                    if not is_whole(self.path):
                        self._create(object_id)
                    note_origin(self.path, f"{self.url}{self._purpose}")
                    yield
                except GitFailed as error:
                    disk_error = self._disk_error(error)
                    # Now: on a full disk, what came so far takes the room.
                    self._clear()
                    if disk_error is not None:
                        raise CacheUnwritable(self.path, disk_error) from error
                    raise
        except OSError as error:
            raise CacheUnwritable(self.path, error) from error

    def _disk_error(self, error: GitFailed) -> OSError | None:
        """What its disk said, if that is why git failed."""
        if error.disk_error is None and str(self.path) in error.stderr:
            # It names a file that it could not write, and does not always say why.
            free = shutil.disk_usage(self.path.parent).free
            return OSError(ENOSPC, os.strerror(ENOSPC)) if free < _NO_ROOM else None
        return error.disk_error

    def _clear(self) -> None:
        """Remove what a git that ended too soon has left."""
        if self._new.exists():
            shutil.rmtree(self._new)
        for stale in chain.from_iterable(map(self.path.glob, _LEFT_BEHIND)):
            stale.unlink(missing_ok=True)

    def _create(self, object_id: str) -> None:
        """Make it elsewhere, as it is read by others; anew where it was damaged."""
        kind = "sha256" if _SHA256.fullmatch(object_id) else "sha1"
        words = ("-q", "--bare", "--template=", f"--object-format={kind}")
        run_git("init", *words, "--", str(self._new))
        if self.path.exists():
            shutil.rmtree(self.path)
        self._new.rename(self.path)

    @property
    def _new(self) -> Path:
        return self.path.with_suffix(".new")

    def _run_fetch(self, *refspecs: str) -> None:
        try:
            run_git(
                "fetch",
                *_SHALLOW,
                *self._filters,
                "--",
                str(self.url),
                *refspecs,
                git_dir=self.path,
                remote=True,
                settings=self._settings,
                file_limit=self._file_limit,
            )
        except GitFailed as error:
            if "fsck error" in error.stderr:
                raise UnsafeTree([f"git refuses it: {error.reason}"]) from error
            raise


def _tags(listing: bytes) -> dict[str, Tag]:
    """By ref; the line that names the commit of an annotated tag follows the tag's."""
    found: dict[str, Tag] = {}
    # Whoever answers chooses the bytes of a name: a tab and an end of line, too.
    for line in listing.decode(errors="replace").split("\n"):
        object_id, _, name = line.partition("\t")
        ref = name.removesuffix("^{}")
        known = is_version_tag(ref) or is_yank_tag(ref)
        if known and _COMMIT.fullmatch(object_id):
            first = found[ref].object_id if ref in found else object_id
            found[ref] = Tag(first, object_id)
    return found


def full_id(commit: str) -> str:
    """The same; refused if git could read it as anything but an id."""
    if not _COMMIT.fullmatch(commit):
        raise InvalidRevision(f"expected a full commit id, got {commit!r}")
    return commit


def our_tag(tag: str) -> str:
    """The ref that a version's tag has here."""
    if not is_version_tag(tag):
        raise InvalidRevision(f"expected `refs/tags/v` and a version, got {tag!r}")
    return tag.replace("refs/", OURS, 1)


def _marker(commit: str) -> str:
    return f"{OURS}commits/{commit}"
