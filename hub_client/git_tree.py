"""The files of a commit, read from its objects: nothing is ever checked out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub_client.git_commands import TooLong, open_objects, run_git
from hub_client.tree_digest import MOST_FILES, UnsafeTree, check_tree_paths

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_REGULAR: Final = "100"
_MISSING: Final = "BAD"
"""What git says is the size of an object that is not there."""
_KINDS: Final = {
    "120000": "symbolic link",
    "160000": "submodule",
}


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A regular file of a commit."""

    path: str
    object_id: str
    size: int | None
    """Bytes; None where only its name was fetched."""


def tree_entries(
    git_dir: Path, tree: str, *, sizes: bool = True
) -> tuple[TreeEntry, ...]:
    """Every file of a commit or a tree, sorted by path.

    :param tree: a full id.
    :param sizes: whether the files are there, and not their names alone.
    :raises UnsafeTree: if it holds a link, a submodule, an unsafe path, or too many.
    """
    words = (*(["-l"] if sizes else []), "-r", "-z", "--full-tree", "--", tree)
    too_many = UnsafeTree([f"they are too many: more than {MOST_FILES:,}"])
    try:
        listing = run_git("ls-tree", *words, git_dir=git_dir)
    except TooLong as error:
        raise too_many from error
    if listing.count(b"\0") > MOST_FILES:
        raise too_many
    entries: list[TreeEntry] = []
    problems: list[str] = []
    for line in listing.split(b"\0")[:-1]:
        header, _, name = line.partition(b"\t")
        mode, _, object_id, *size = header.decode().split()
        path = name.decode(errors="surrogateescape")
        if size == [_MISSING]:
            problems.append(f"{path!r} is missing from the repository")
        elif mode.startswith(_REGULAR):
            entries.append(TreeEntry(path, object_id, int(size[0]) if sizes else None))
        else:
            problems.append(f"{path!r} is a {_KINDS.get(mode, 'special file')}")
    if problems:
        raise UnsafeTree(problems)
    check_tree_paths(entry.path for entry in entries)
    return tuple(entries)


def write_tree(git_dir: Path, entries: Iterable[TreeEntry], into: Path) -> None:
    """Write files below ``into``, exactly as they were committed."""
    with open_objects(git_dir) as copy:
        for entry in entries:
            target = into / entry.path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                copy(entry.object_id, file)
