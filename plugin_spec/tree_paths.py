"""Which paths an operator's repository may hold, so that every system can store it."""

from __future__ import annotations

import os
import re
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

# Windows takes these for devices, whatever the extension, and strips trailing dots.
_DEVICE = re.compile(r"(aux|con|nul|prn|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[\\:*?"<>|]')

_LONGEST: Final = 255
_LONGEST_PATH: Final = 1024

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
    # Last: what is printable can be encoded.
    "has a name of more than 255 bytes": lambda part: len(part.encode()) > _LONGEST,
}
"""What is wrong with one part of a path, and how to see it; the first one is told."""


def walk_tree(
    folder: Path | str, prefix: str = ""
) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Give each entry that is no folder, with its relative POSIX path, unsorted.

    ``__pycache__`` and a ``.git`` at the root are left out; links are not followed.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            if entry.name == "__pycache__" or path == ".git":
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from walk_tree(entry.path, f"{path}/")
            else:
                yield entry, path


def walk_published(
    folder: Path, ignored: Collection[str] = ()
) -> Iterator[tuple[os.DirEntry[str], str]]:
    """As ``walk_tree``, without what stays at home: environments, and what is ignored.

    :param ignored: paths; a folder's ends with a slash, and means all that is in it.
    """
    entries = list(walk_tree(folder))
    # An author's own environment is full of links.
    environments = (
        path.removesuffix("pyvenv.cfg")
        for _, path in entries
        if path.endswith("/pyvenv.cfg")
    )
    folders = (*environments, *(each for each in ignored if each.endswith("/")))
    for entry, path in entries:
        if not (path.startswith(folders) or path in ignored):
            yield entry, path


def path_problems(paths: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Give every path that leaves its tree or that systems read differently, and why.

    >>> path_problems(["operator.yaml", "a/../b"])
    (('a/../b', 'is not a plain relative path'),)
    >>> path_problems(["README.md", "readme.md"])
    (('README.md', "and 'readme.md' differ only in case"),)
    >>> path_problems(["README.md", "README.md"])
    (('README.md', 'stands twice'),)
    >>> path_problems(["a/b", "a"])
    (('a', 'is a file and a folder'),)
    """
    problems: dict[tuple[str, str], None] = {}
    seen: dict[str, str] = {}
    files, folders = set[str](), set[str]()
    for path in paths:
        if path in files:
            problems[path, "stands twice"] = None
        files.add(path)
        for reason in filter(None, map(_reason, path.split("/"))):
            problems[path, reason] = None
        if len(path) > _LONGEST_PATH:
            problems[path, "is a path of more than 1,024 characters"] = None
        parents = tuple(_parents(path))
        folders.update(parents)
        for spelling in (path, *parents):
            twin = seen.setdefault(_folded(spelling), spelling)
            if twin != spelling:
                problems[twin, f"and {spelling!r} differ only in case"] = None
    for path in sorted(files & folders):
        problems[path, "is a file and a folder"] = None
    return tuple(problems)


def _reason(part: str) -> str | None:
    return next((reason for reason, applies in _RULES.items() if applies(part)), None)


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
