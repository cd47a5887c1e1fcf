"""The copy of a repository with the commits that were asked for, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub_client.git_commands import GitFailed, run_git
from hub_client.git_tree import TreeEntry, write_tree
from hub_client.git_url import mirror_path
from hub_client.sources.git_copy import OURS, GitCopy, full_id, our_tag
from hub_client.sources.signed_release import SIGSTORE_SIZE_LIMIT

if TYPE_CHECKING:
    from pathlib import Path

    from hub_client.git_url import GitUrl

SIGSTORE_NOTES: Final = "refs/notes/sigstore"
"""Where a repository has the sigstore bundles of its releases, by commit."""
_OUR_NOTES: Final = f"{OURS}notes/sigstore"


class GitMirror(GitCopy):
    """Has every file of a commit, and what may be signed of it."""

    def __init__(self, url: GitUrl, cache_dir: Path) -> None:
        super().__init__(url, mirror_path(url, cache_dir))

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
        commit = full_id(commit)
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

    def write(self, commit: str, into: Path) -> tuple[TreeEntry, ...]:
        """Write every file of a commit below ``into``, and list them."""
        entries = self.entries(commit)
        write_tree(self.path, entries, into)
        return entries

    def _fetch_if_there(self, ref: str, ours: str) -> None:
        try:
            with self._locked():
                self._run_fetch(f"+{ref}:{ours}")
        except GitFailed as error:
            if f"couldn't find remote ref {ref}" not in error.stderr:
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


def _signature(tag: str) -> str:
    return our_tag(tag).replace(f"{OURS}tags/", f"{OURS}signatures/", 1)
