"""One digest for a folder of files, and the rules on what such a folder may hold."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from typing import TYPE_CHECKING, Final

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

# Windows takes these for devices, whatever the extension, and strips trailing dots.
_DEVICE = re.compile(r"(aux|con|nul|prn|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[\\:*?"<>|]')

_RULES: Final[Mapping[str, Callable[[str], object]]] = {
    "is not a plain relative path": lambda part: part in {"", ".", ".."},
    "is inside a `.git` folder": lambda part: part.lower() in {".git", "git~1"},
    "is compiled code, which no digest covers": (
        lambda part: part.lower() == "__pycache__"
    ),
    "has a control, invisible or undecodable character": (
        lambda part: not part.isprintable()
    ),
    "has a character that Windows forbids": _FORBIDDEN.search,
    "has a name that ends with a dot or a space": lambda part: part[-1] in ". ",
    "has the name of a Windows device": _DEVICE.fullmatch,
}
"""What is wrong with one part of a path, and how to see it; the first one is told."""


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
    listing = hashlib.sha256()
    for path in tree_files(folder):
        with (folder / path).open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        listing.update(f"{content}  {path}\n".encode())
    return f"sha256:{listing.hexdigest()}"


def tree_files(folder: Path) -> tuple[str, ...]:
    """Relative POSIX paths of the files that make up a tree, sorted by their bytes.

    :raises UnsafeTree: as ``tree_digest``.
    """
    paths: list[str] = []
    problems: list[str] = []
    for entry, path in _walk(folder, ""):
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


def _walk(folder: Path | str, prefix: str) -> Iterator[tuple[os.DirEntry[str], str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            if entry.name == "__pycache__" or path == ".git":
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, f"{path}/")
            else:
                yield entry, path


def check_tree_paths(paths: Iterable[str]) -> None:
    """Refuse paths that leave their tree, or that some system reads differently.

    >>> check_tree_paths(["operator.yaml", "package/__init__.py"])

    :raises UnsafeTree: with every problem.
    """
    problems: list[str] = []
    seen: dict[str, str] = {}
    for path in paths:
        reasons = dict.fromkeys(map(_problem_of, path.split("/")))
        problems += [f"{path!r} {reason}" for reason in reasons if reason]
        for spelling in (path, *_parents(path)):
            twin = seen.setdefault(_folded(spelling), spelling)
            if twin != spelling:
                problems.append(f"{twin!r} and {spelling!r} differ only in case")
    if problems:
        raise UnsafeTree(dict.fromkeys(problems))


def _problem_of(part: str) -> str | None:
    return next((reason for reason, applies in _RULES.items() if applies(part)), None)


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
