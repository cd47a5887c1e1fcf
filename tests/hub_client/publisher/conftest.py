from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from servers.operator_files import operator_files, write_files

if TYPE_CHECKING:
    from pathlib import Path

PAGES = {"README.md": b"# Echo\n", "LICENSE": b"Apache License\n"}


@dataclass(frozen=True, slots=True)
class Author:
    """A person with an operator's folder, and perhaps a work tree around it."""

    folder: Path

    def write(self, version: str, **more: bytes) -> None:
        files = operator_files("acme/embed", version)
        write_files(self.folder, {**files, **PAGES, **more})

    def git(self, *words: str, folder: Path | None = None) -> str:
        return subprocess.run(
            ["git", *words],
            cwd=folder or self.folder,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def commit(self, folder: Path | None = None) -> str:
        self.git("init", "--quiet", "--initial-branch=main", folder=folder)
        self.git("add", "--all", folder=folder)
        self.git("commit", "--quiet", "--allow-empty", "-m", "Work", folder=folder)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def author(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Author:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ann Author")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ann@example.org")
    folder = tmp_path / "work" / "embed"
    folder.mkdir(parents=True)
    author = Author(folder)
    author.write("1.0.0")
    return author
