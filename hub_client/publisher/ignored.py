"""What `.gitignore` keeps at home, so that a check sees what would be published."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from hub_client.git_commands import GitFailed, GitMissing, run_git
from hub_client.publisher.scratch_repository import ScratchRepository
from hub_client.publisher.work_tree import Unpublishable, WorkTree


def find_ignored(folder: Path) -> frozenset[str]:
    """Relative paths of what stays at home; folders end with a slash.

    What is committed goes out, whatever ``.gitignore`` says. Where there is no git to
    ask, nothing is ignored.
    """
    with TemporaryDirectory(prefix="hub-check-") as place:
        try:
            scratch = _scratch(folder, Path(place) / "git")
            words = ("-z", "--others", "--ignored", "--exclude-standard", "--directory")
            listing = run_git(
                "ls-files",
                *words,
                git_dir=scratch.path,
                work_tree=folder.resolve(),
                remote=True,
            )
        except (GitFailed, GitMissing):
            return frozenset()
    return frozenset(map(os.fsdecode, listing.split(b"\0")[:-1]))


def _scratch(folder: Path, path: Path) -> ScratchRepository:
    """A repository whose index has what is committed of a folder, and nothing else."""
    try:
        tree = WorkTree.find(folder)
    except Unpublishable:
        tree = None
    if tree is None:
        return ScratchRepository.create(path)
    scratch = ScratchRepository.create(path, borrowing=tree.git_dir)
    with suppress(GitFailed):  # if nothing of it is committed
        scratch.git("read-tree", tree.committed)
    return scratch
