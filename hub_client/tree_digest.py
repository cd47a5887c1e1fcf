"""One digest for a folder of files, and the rules on what such a folder may hold."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from plugin_spec.errors import HubError
from plugin_spec.tree_paths import path_problems, walk_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

MOST_FILES: Final = 20_000
"""Of one operator, as others list them."""


class UnsafeTree(HubError, ValueError):
    """A tree holds what may not be stored; ``problems`` has one sentence for each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(
            f"The operator's files may not be stored\n{lines}",
            hint="Ask its publisher for regular files "
            "with names that every system accepts",
        )


class DigestMismatch(HubError):
    """A tree is not the one that was promised."""

    def __init__(
        self, subject: str, *, expected: str, actual: str, hint: str | None = None
    ) -> None:
        self.subject = subject
        self.expected = expected
        self.actual = actual
        super().__init__(
            f"The files of {subject} are not the expected ones\n"
            f"  expected {expected}\n"
            f"  found    {actual}",
            hint=hint,
        )


def tree_digest(folder: Path) -> str:
    """Hash every file below ``folder``, names and bytes, as ``sha256:`` and 64 digits.

    It is the hash of what ``sha256sum`` prints for the files, sorted by their paths'
    bytes. Modes and times do not count; ``__pycache__`` and a ``.git`` at the root are
    not looked at.

    :raises UnsafeTree: if the folder holds a link, a special file or an unsafe name.
    """
    return listing_digest({path: _sha256(folder / path) for path in tree_files(folder)})


def listing_digest(files: Mapping[str, str]) -> str:
    """The digest of a tree whose files are known: path to sha256, as 64 digits.

    >>> listing_digest({})
    'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    listing = hashlib.sha256()
    for path in sorted(files, key=str.encode):
        listing.update(f"{files[path]}  {path}\n".encode())
    return f"sha256:{listing.hexdigest()}"


def tree_files(folder: Path) -> tuple[str, ...]:
    """Relative POSIX paths of the files that make up a tree, sorted by their bytes.

    :raises UnsafeTree: as ``tree_digest``.
    """
    paths: list[str] = []
    problems: list[str] = []
    for entry, path in walk_tree(folder):
        if entry.is_symlink():
            problems.append(f"{path!r} is a symbolic link")
        elif entry.is_file(follow_symlinks=False):
            paths.append(path)
        else:
            problems.append(f"{path!r} is not a regular file")
    if problems:
        raise UnsafeTree(sorted(problems))
    check_tree_paths(paths)
    return tuple(sorted(paths, key=str.encode))


def check_tree_paths(paths: Iterable[str]) -> None:
    """Refuse paths that leave their tree, or that some system reads differently.

    >>> check_tree_paths(["operator.yaml", "package/__init__.py"])

    :raises UnsafeTree: with every problem.
    """
    problems = [f"{path!r} {reason}" for path, reason in path_problems(paths)]
    if problems:
        raise UnsafeTree(problems)


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
