"""What goes out: an operator's files as committed, or as they lie in a plain folder."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from hub_client.git_commands import run_git
from hub_client.publisher.scratch_repository import ScratchRepository
from hub_client.publisher.work_tree import Unpublishable, WorkTree
from hub_client.tree_digest import UnsafeTree, check_tree_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class File:
    """A file that goes out."""

    path: str
    """Relative, with ``/``."""
    size: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A folder that holds exactly what goes out."""

    folder: Path
    files: tuple[File, ...]
    """Sorted by path."""
    work_tree: WorkTree | None = None
    """Where the operator's own commit can be pushed from, if it has one."""
    pointers: tuple[str, ...] = ()
    """Files that this commit has as Git LFS pointers."""


def take_snapshot(path: Path, into: Path) -> Snapshot:
    """Copy what is to go out of ``path`` into ``into``.

    Of a git work tree that is its commit, and it has to be clean. What ``.gitignore``
    names stays at home, and so do ``.git``, ``__pycache__`` and environments.

    :param into: a folder that does not exist yet.
    :raises Unpublishable: if files are not committed, or may not be published.
    """
    pointers: tuple[str, ...] = ()
    tree = WorkTree.find(path)
    if tree is None:
        copy_files(path, list_folder(path, into.with_suffix(".index")), into)
    else:
        pointers = tree.export(into)
    paths = sorted(
        file.relative_to(into).as_posix() for file in into.rglob("*") if file.is_file()
    )
    files = tuple(File(each, (into / each).stat().st_size) for each in paths)
    whole = tree if tree is not None and tree.is_whole else None
    return Snapshot(into, files, whole, pointers)


def list_folder(folder: Path, scratch: Path) -> tuple[str, ...]:
    """Relative paths of what is to go out of a folder that is in no repository.

    :raises Unpublishable: if it holds links, repositories or unsafe names.
    """
    ScratchRepository.create(scratch)
    words = ("-z", "--others", "--exclude-standard")
    listing = run_git(
        "ls-files", *words, git_dir=scratch, work_tree=folder.resolve(), remote=True
    )
    paths = [os.fsdecode(each) for each in listing.split(b"\0")[:-1]]
    kept = [path for path in paths if not _stays(PurePosixPath(path), folder)]
    problems = list(_irregular(folder, kept))
    try:
        check_tree_paths(path.removesuffix("/") for path in kept)
    except UnsafeTree as error:
        problems += error.problems
    if problems:
        hint = "Put regular files there, or name these in `.gitignore`"
        raise Unpublishable(folder, sorted(set(problems)), hint=hint)
    return tuple(kept)


def copy_files(folder: Path, paths: Iterable[str], into: Path) -> None:
    """Copy files; where the disk allows it, a file's bytes are not kept twice."""
    for path in paths:
        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(folder / path, target)
        except OSError:
            shutil.copyfile(folder / path, target)


def _stays(path: PurePosixPath, folder: Path) -> bool:
    environments = ((folder / parent / "pyvenv.cfg") for parent in path.parents[:-1])
    return "__pycache__" in path.parts or any(each.exists() for each in environments)


def _irregular(folder: Path, paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        if path.endswith("/"):
            yield f"{path[:-1]!r} is a repository of its own"
        elif (folder / path).is_symlink():
            yield f"{path!r} is a symbolic link"
        elif not (folder / path).is_file():
            yield f"{path!r} is not a regular file"
