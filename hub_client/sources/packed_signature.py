"""A signed commit or tag without its files, as a pack that a bundle can carry."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from hub_client.git_commands import GitFailed, run_git
from hub_client.sources.git_mirror import annotated_tag
from hub_client.sources.signed_release import SignedInGit
from hub_client.tree_digest import tree_digest, tree_files
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACK_SIZE_LIMIT: Final = 1 << 20
"""Bytes; a pack has some 40 for each file of the commit."""
_TAGS: Final = "refs/hub/tags/"
_FOLDER: Final = "040000"
_REGULAR: Final = "100"


class PackRefused(HubError):
    """A pack is damaged, too large, or not of the commit that it should be."""


def pack_signed(git_dir: Path, commit: str, tag: str | None) -> bytes:
    """The commit, its folders' names for its files, and its tag; none of the files.

    The same for the same objects.

    :param tag: the id of the annotated tag; None if it is not needed.
    :raises PackRefused: if it has more than ``PACK_SIZE_LIMIT`` bytes.
    """
    root = run_git("rev-parse", "--verify", f"{commit}^{{tree}}", git_dir=git_dir)
    entries = _entries(git_dir, commit, "-d")
    folders = [object_id for _, mode, object_id in entries if mode == _FOLDER]
    wanted = {commit, tag or commit, root.decode().strip(), *folders}
    listed = "".join(f"{each}\n" for each in sorted(wanted)).encode()
    # No deltas: they depend on the machine.
    options = ("--stdout", "-q", "--window=0", "--threads=1", "--no-reuse-object")
    pack = run_git("pack-objects", *options, git_dir=git_dir, typed=listed)
    if len(pack) > PACK_SIZE_LIMIT:
        raise PackRefused(
            f"Commit {commit} has so many files that its signature cannot be carried: "
            f"{len(pack):,} bytes, and {PACK_SIZE_LIMIT:,} may be"
        )
    return pack


@contextmanager
def open_packed(
    pack: bytes,
    *,
    commit: str,
    tag: str,
    bring_files: Callable[[Path], object],
    where: str,
) -> Iterator[SignedInGit]:
    """Give git a repository of a pack's objects, for as long as the block lasts.

    :param commit: the full id of the commit that is meant.
    :param tag: the full name of the ref under which a tag of it counts.
    :param bring_files: writes the files that the commit should have into a folder.
    :param where: what to call the pack in a message.
    :raises PackRefused: if git does not read it, or it lacks the commit.
    """
    with TemporaryDirectory(prefix="hub-signed-") as folder:
        git_dir, files = Path(folder, "git"), Path(folder, "files")
        git = partial(run_git, git_dir=git_dir)
        run_git("init", "-q", "--bare", "--template=", "--", str(git_dir))
        try:
            git("index-pack", "--stdin", "--fsck-objects", typed=pack)
            git("cat-file", "commit", commit)
            listing = git("cat-file", "--batch-all-objects", "--batch-check").decode()
            for object_id, kind, _ in map(str.split, listing.splitlines()):
                if kind == "tag":
                    git("update-ref", f"{_TAGS}{object_id}", object_id)
        except GitFailed as error:
            raise PackRefused(
                f"{where} is not the signed commit {commit}: {error.reason}",
                hint="Where there is a network, `hub mirror --recheck` mends it",
            ) from error

        def digest() -> str | None:
            files.mkdir(exist_ok=True)
            bring_files(files)
            return tree_digest(files) if _has(git_dir, commit, files) else None

        def find_tags() -> Iterator[str]:
            if found := annotated_tag(git_dir, _TAGS, tag, commit):
                yield found

        yield SignedInGit(git_dir, commit, find_tags, digest)


def _has(git_dir: Path, commit: str, folder: Path) -> bool:
    """Whether the files of a folder are those of the commit, as git names them."""
    paths = tree_files(folder)
    typed = "".join(f"{folder / path}\n" for path in paths).encode()
    words = ("--no-filters", "--stdin-paths")
    named = run_git("hash-object", *words, git_dir=git_dir, typed=typed)
    found = dict(zip(paths, named.decode().split(), strict=True))
    return found == {
        path: object_id if mode.startswith(_REGULAR) else mode
        for path, mode, object_id in _entries(git_dir, commit)
        # As for any tree: what Python leaves there does not count.
        if "__pycache__" not in path.split("/")
    }


def _entries(
    git_dir: Path, commit: str, *options: str
) -> Iterator[tuple[str, str, str]]:
    """Path, mode and id of what a commit has below its root."""
    words = ("-r", "-z", "--full-tree", *options, "--", commit)
    listing = run_git("ls-tree", *words, git_dir=git_dir)
    for line in listing.decode(errors="surrogateescape").split("\0")[:-1]:
        header, _, path = line.partition("\t")
        mode, _, object_id = header.split()
        yield path, mode, object_id
