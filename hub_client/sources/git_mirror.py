"""A bare repository in the cache with the commits that were asked for, one per URL."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager, suppress
from errno import ENOSPC
from itertools import chain
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from filelock import FileLock

from hub_client.candidate import read_reason
from hub_client.git_commands import GitFailed, TooLong, open_objects, run_git
from hub_client.git_tree import TreeEntry, tree_entries, write_tree
from hub_client.git_url import is_whole, mirror_path
from hub_client.origin import note_origin
from hub_client.sources.signed_release import SIGSTORE_SIZE_LIMIT
from hub_client.sources.version_tags import is_version_tag, is_yank_tag
from hub_client.store import CacheUnwritable
from hub_client.tree_digest import UnsafeTree
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from hub_client.git_url import GitUrl

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
SIGSTORE_NOTES: Final = "refs/notes/sigstore"
"""Where a repository has the sigstore bundles of its releases, by commit."""
_OURS: Final = "refs/hub/"
_OUR_NOTES: Final = f"{_OURS}notes/sigstore"
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


class Tag(NamedTuple):
    """What a tag's ref names."""

    object_id: str
    """The tag's own, which changes with its message; a plain tag has its commit's."""
    commit: str


class GitMirror:
    """Fetches into the mirror of one URL and reads from it; no work tree, ever."""

    def __init__(self, url: GitUrl, cache_dir: Path) -> None:
        self.url = url
        self.path = mirror_path(url, cache_dir)

    def remote_tags(self) -> dict[str, Tag]:
        """Tags of versions at the URL, and those that say which are yanked.

        :raises GitFailed: if the URL does not answer.
        """
        listing = run_git("ls-remote", "--tags", "--", str(self.url), remote=True)
        return _tags(line.split("\t") for line in listing.decode().splitlines())

    def known_tags(self) -> dict[str, Tag]:
        """The same of the mirror."""
        if not is_whole(self.path):
            return {}
        listing = run_git(
            "for-each-ref",
            "--format=%(objectname)\t%(refname)%0a%(*objectname)\t%(refname)^{}",
            f"{_OURS}tags/",
            git_dir=self.path,
        )
        lines = listing.decode().replace(_OURS, "refs/").splitlines()
        return _tags(line.split("\t") for line in lines)

    def yank_reasons(self, tags: Mapping[str, Tag]) -> dict[str, str]:
        """The message of each tag that says a version is yanked, by ref.

        Messages that are not in the mirror are fetched, all at once; a tag without one
        is left out, and so is every new one if the server gives none that is sound, or
        the mirror cannot be written.

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
            with suppress(GitFailed, UnsafeTree, CacheUnwritable), self._locked(like):
                for ref in gone:
                    words = ("-d", "--", ref.replace("refs/", _OURS, 1))
                    run_git("update-ref", *words, git_dir=self.path)
                if new:
                    self._run_fetch(
                        *(f"+{r}:{r.replace('refs/', _OURS, 1)}" for r in new)
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
                f"{_OURS}tags/",
                git_dir=self.path,
            )
        except TooLong:
            return {}
        lines = listing.decode(errors="replace").splitlines()
        return {
            ref.replace(_OURS, "refs/", 1): read_reason(message)
            for kind, ref, message in (line.split("\t", 2) for line in lines)
            if kind == "tag" and message
        }

    def has(self, commit: str) -> bool:
        """Whether the commit was fetched completely."""
        return is_whole(self.path) and (
            (self.path / _marker(_full_id(commit))).is_file()
        )

    def fetch(self, wanted: str, tag: str) -> str:
        """Fetch one commit without its history, and remember that ``tag`` names it.

        :param wanted: the full id of a commit; or ``tag`` itself, for servers that
            give nothing else.
        :returns: the id of the commit.
        :raises GitFailed: if the server does not give it, or it is no commit.
        :raises UnsafeTree: if its objects are malformed.
        :raises CacheUnwritable: if the disk is full or read-only.
        """
        ours = _our_tag(tag)
        refspec = f"+{wanted if wanted == tag else _full_id(wanted)}:{ours}"
        named = f"{ours}^{{commit}}"
        with self._locked(wanted):
            if wanted != tag and self.has(wanted):
                return wanted  # another process was first, while this one waited
            self._run_fetch(refspec)
            answer = run_git("rev-parse", "--verify", named, git_dir=self.path)
            commit = answer.decode().strip()
            # Last: the marker says that the commit is here, completely.
            run_git("update-ref", "--", _marker(commit), commit, git_dir=self.path)
        return commit

    def annotated_tag(self, tag: str, commit: str) -> str | None:
        """The id of the tag's own object as it was fetched last; as `annotated_tag`."""
        return annotated_tag(self.path, _signature(tag), tag, commit)

    def fetch_tag(self, tag: str) -> None:
        """Fetch a tag's own object, with what it names; there need be none.

        :raises GitFailed: if the URL does not answer.
        """
        self._fetch_if_there(tag, _signature(tag))

    def note(self, commit: str) -> bytes | None:
        """What the notes of sigstore say of a commit, as they were fetched last.

        One that is too large is as ``SignedRelease`` says.
        """
        commit = _full_id(commit)
        # As git lays notes out: the more there are, the more folders.
        one = f"{commit[:2]}/{commit[2:]}"
        two = f"{commit[:2]}/{commit[2:4]}/{commit[4:]}"
        words = ("-l", "-z", "--full-tree", "--", _OUR_NOTES)
        try:
            listing = run_git("ls-tree", *words, commit, one, two, git_dir=self.path)
        except GitFailed:
            return None
        headers = [
            line.split("\t")[0].split() for line in listing.decode().split("\0")[:-1]
        ]
        notes = [(each[2], each[3]) for each in headers if each[1] == "blob"]
        if len(notes) != 1:
            return None
        ((object_id, size),) = notes
        if int(size) > SIGSTORE_SIZE_LIMIT:
            return bytes(SIGSTORE_SIZE_LIMIT + 1)
        return run_git("cat-file", "blob", object_id, git_dir=self.path)

    def fetch_notes(self) -> None:
        """Fetch the notes of sigstore, of every commit; there need be none.

        :raises GitFailed: if the URL does not answer.
        """
        self._fetch_if_there(SIGSTORE_NOTES, _OUR_NOTES)

    def entries(self, commit: str) -> tuple[TreeEntry, ...]:
        """Every file of a commit, sorted by path.

        :raises UnsafeTree: if it holds a link, a submodule or an unsafe path.
        """
        return tree_entries(self.path, _full_id(commit))

    def read(self, entry: TreeEntry, into: IO[bytes]) -> None:
        """Copy one file's bytes, exactly as they were committed."""
        with open_objects(self.path) as copy:
            copy(entry.object_id, into)

    def write(self, commit: str, into: Path) -> tuple[TreeEntry, ...]:
        """Write every file of a commit below ``into``, and list them."""
        entries = self.entries(commit)
        write_tree(self.path, entries, into)
        return entries

    @contextmanager
    def _locked(self, object_id: str = "") -> Iterator[None]:
        """Hold the mirror for writing: made if it is new, cleared of a killed git.

        :param object_id: one of the repository's, from which a new mirror is told what
            it hashes with.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock"):
                self._clear()
                try:
                    if not is_whole(self.path):
                        self._create(object_id)
                    note_origin(self.path, str(self.url))
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
        """What the disk of the mirror said, if that is why git failed."""
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

    def _fetch_if_there(self, ref: str, ours: str) -> None:
        try:
            with self._locked():
                self._run_fetch(f"+{ref}:{ours}")
        except GitFailed as error:
            if f"couldn't find remote ref {ref}" not in error.stderr:
                raise

    def _run_fetch(self, *refspecs: str) -> None:
        arguments = ("--", str(self.url), *refspecs)
        try:
            run_git("fetch", *_SHALLOW, *arguments, git_dir=self.path, remote=True)
        except GitFailed as error:
            if "fsck error" in error.stderr:
                raise UnsafeTree([f"git refuses it: {error.reason}"]) from error
            raise


def annotated_tag(git_dir: Path, ref: str, tag: str, commit: str) -> str | None:
    """The id of the tag's own object that ``ref`` names.

    None if there is none, or it bears another name, or is of another commit.
    """
    listing = run_git(
        "for-each-ref",
        "--format=%(objectname)\t%(*objectname)\trefs/tags/%(tag)",
        ref,
        git_dir=git_dir,
    )
    for line in listing.decode(errors="replace").splitlines():
        object_id, named_commit, name = line.split("\t")
        if (named_commit, name) == (commit, tag):
            return object_id
    return None


def _tags(pairs: Iterable[Iterable[str]]) -> dict[str, Tag]:
    """By ref; the line that names the commit of an annotated tag follows the tag's."""
    found: dict[str, Tag] = {}
    for object_id, name in pairs:
        ref = name.removesuffix("^{}")
        known = is_version_tag(ref) or is_yank_tag(ref)
        if known and _COMMIT.fullmatch(object_id):
            first = found[ref].object_id if ref in found else object_id
            found[ref] = Tag(first, object_id)
    return found


def _full_id(commit: str) -> str:
    if not _COMMIT.fullmatch(commit):
        raise InvalidRevision(f"expected a full commit id, got {commit!r}")
    return commit


def _our_tag(tag: str) -> str:
    if not is_version_tag(tag):
        raise InvalidRevision(f"expected `refs/tags/v` and a version, got {tag!r}")
    return tag.replace("refs/", _OURS, 1)


def _signature(tag: str) -> str:
    return _our_tag(tag).replace(f"{_OURS}tags/", f"{_OURS}signatures/", 1)


def _marker(commit: str) -> str:
    return f"{_OURS}commits/{commit}"
