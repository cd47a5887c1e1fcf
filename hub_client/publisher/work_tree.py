"""The git work tree that an operator lies in: its commit, and whether all is in it."""

from __future__ import annotations

import filecmp
import hashlib
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from hub_client.git_commands import GitFailed, run_git
from hub_client.git_tree import tree_entries, write_tree
from hub_client.lfs_pointer import pointer_digest
from hub_client.publisher.scratch_repository import ScratchRepository
from hub_client.tree_digest import UnsafeTree
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_TEXT_SIZE: Final = 1 << 22
"""Bytes; a larger file is no text, and lines of it do not end in two ways."""
_TOLD: Final = 10


class Unpublishable(HubError, ValueError):
    """A folder holds what may not go out; ``problems`` has one sentence for each."""

    def __init__(
        self, folder: Path, problems: Iterable[str], *, hint: str | None = None
    ) -> None:
        self.problems = tuple(problems)
        told = [f"  {problem}" for problem in self.problems[:_TOLD]]
        if more := len(self.problems) - _TOLD:
            told += [f"  … and {more} more"] * (more > 0)
        super().__init__(
            "\n".join([f"`{folder}` cannot be published as it stands", *told]),
            hint=hint,
        )


@dataclass(frozen=True, slots=True)
class WorkTree:
    """A folder in a work tree, at the commit that is checked out there.

    The repository is asked what its commit is, and nothing more: no command runs in it
    that would run what it configures.
    """

    folder: Path
    top: Path
    """The work tree's root, at or above ``folder``."""
    commit: str

    @classmethod
    def find(cls, folder: Path) -> Self | None:
        """The work tree around a folder, if there is one.

        :raises Unpublishable: if it has no commit yet.
        """
        folder = folder.resolve()
        for top in (folder, *folder.parents):
            if (top / ".git").exists():
                try:
                    words = ("--verify", "--end-of-options", "HEAD^{commit}")
                    answer = run_git("rev-parse", *words, git_dir=top / ".git")
                except GitFailed as error:
                    raise Unpublishable(
                        folder, ["nothing is committed yet"], hint=_COMMIT
                    ) from error
                return cls(folder, top, answer.decode().strip())
        return None

    @property
    def git_dir(self) -> Path:
        """The repository's own folder, or the file that says where it is."""
        return self.top / ".git"

    @property
    def is_whole(self) -> bool:
        """Whether the folder is all there is in the repository."""
        return self.folder == self.top

    @property
    def committed(self) -> str:
        """How git calls what is committed of the folder."""
        below = "" if self.is_whole else self.folder.relative_to(self.top).as_posix()
        return f"{self.commit}:{below}"

    @property
    def branch(self) -> str | None:
        """The branch that is checked out, if one is."""
        try:
            words = ("--quiet", "--short", "HEAD")
            return (
                run_git("symbolic-ref", *words, git_dir=self.git_dir).decode().strip()
            )
        except GitFailed:
            return None

    def tag(self, name: str) -> tuple[str, str] | None:
        """A tag that its author made here: its own id, and that of its commit."""
        ref = f"refs/tags/{name}"
        try:
            words = ("--verify", "--end-of-options")
            found, commit = (
                run_git("rev-parse", *words, each, git_dir=self.git_dir)
                .decode()
                .strip()
                for each in (ref, f"{ref}^{{commit}}")
            )
        except GitFailed:
            return None
        return found, commit

    def export(self, into: Path) -> tuple[str, ...]:
        """Write the files of the commit below ``into``.

        :returns: paths of files that Git LFS keeps: they come from here, complete.
        :raises Unpublishable: if the folder is not as committed.
        """
        scratch = ScratchRepository.create(
            into.with_suffix(".index"), borrowing=self.git_dir
        )
        try:
            words = ("--verify", "--end-of-options", self.committed)
            tree = scratch.git("rev-parse", *words)
            entries = tree_entries(scratch.path, tree)
        except GitFailed as error:
            raise Unpublishable(
                self.folder, ["nothing of it is committed"], hint=_COMMIT
            ) from error
        except UnsafeTree as error:
            raise Unpublishable(
                self.folder,
                error.problems,
                hint="Commit regular files in their place, and run this again",
            ) from error
        write_tree(scratch.path, entries, into)
        scratch.git("read-tree", tree)
        paths = [entry.path for entry in entries]
        kept = tuple(path for path in paths if pointer_digest(into / path))
        changed = dict(self._changed(paths, into))
        rewritten = _rewritten(scratch, changed)
        problems = [
            f"{path!r} {problem}{rewritten.get(path, '')}"
            for path, problem in changed.items()
        ]
        if untracked := [*self._untracked(scratch)]:
            raise Unpublishable(self.folder, [*problems, *untracked], hint=_COMMIT)
        if problems:
            hint = _AS_READ if rewritten else _RESTORE
            raise Unpublishable(self.folder, problems, hint=hint)
        return kept

    def _changed(self, paths: Iterable[str], into: Path) -> Iterator[tuple[str, str]]:
        """What is not as committed, and how; large files take their pointers' place."""
        for path in paths:
            here, committed = self.folder / path, into / path
            if not here.is_file():
                yield path, "is committed, and not here"
            elif (pointer := pointer_digest(committed)) is None:
                if not _is_same(here, committed):
                    yield path, _OTHERWISE
            elif pointer_digest(here) == pointer:
                yield path, "is a Git LFS pointer: run `git lfs pull`"
            elif _sha256(here) == pointer:
                committed.unlink()
                shutil.copyfile(here, committed)
            else:
                yield path, _OTHERWISE

    def _untracked(self, scratch: ScratchRepository) -> Iterator[str]:
        words = ("-z", "--others", "--exclude-standard")
        listing = run_git(
            "ls-files",
            *words,
            git_dir=scratch.path,
            work_tree=self.folder,
            remote=True,
        )
        for path in map(os.fsdecode, listing.split(b"\0")[:-1]):
            if "__pycache__" not in path.split("/"):
                yield f"{path!r} is not committed"


def _rewritten(
    scratch: ScratchRepository, changed: Mapping[str, str]
) -> dict[str, str]:
    """Why git itself may have written a file otherwise than committed, by path."""
    paths = [path for path, problem in changed.items() if problem == _OTHERWISE]
    if not paths:
        return {}
    words = ("--cached", "-z", "--stdin", *_REWRITING)
    typed = os.fsencode("".join(f"{path}\0" for path in paths))
    fields = iter(scratch.git("check-attr", *words, typed=typed).split("\0"))
    return {
        path: f": `.gitattributes` gives it `{attribute}`"
        for path, attribute, value in zip(fields, fields, fields, strict=False)
        if value not in _NO_REWRITING
    }


_OTHERWISE: Final = "is not as committed"
_REWRITING: Final = ("filter", "ident", "working-tree-encoding")
"""Attributes by which git changes what it checks out, as it does no other way."""
_NO_REWRITING: Final = {"unspecified", "unset", "lfs"}
_RESTORE: Final = "Commit what changed, or restore it, and run this again"
_AS_READ: Final = (
    "Users get files as they are committed: commit them so, without such an attribute"
)
_COMMIT: Final = "Commit it, or name it in `.gitignore`, and run this again"


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _is_same(here: Path, committed: Path) -> bool:
    """Whether bytes are equal, but for ends of lines, which git changes on Windows."""
    if filecmp.cmp(here, committed, shallow=False):
        return True
    if here.stat().st_size > _TEXT_SIZE:
        return False
    return here.read_bytes().replace(b"\r\n", b"\n") == committed.read_bytes()
