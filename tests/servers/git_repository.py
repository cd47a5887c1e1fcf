"""A bare repository that a test fills by plumbing, so it can also hold what git refuses."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Special(NamedTuple):
    """A tree entry that is no plain file: a link's target, or a submodule's commit."""

    mode: str
    content: str

    @classmethod
    def link(cls, target: str) -> Special:
        return cls("120000", target)

    @classmethod
    def submodule(cls, commit: str) -> Special:
        return cls("160000", commit)


@dataclass(frozen=True, slots=True)
class GitRepository:
    """One bare repository and what its publisher can do to it."""

    path: Path

    @classmethod
    def create(cls, path: Path, *, hashes: str = "sha1") -> GitRepository:
        words = ["--quiet", "--bare", "--initial-branch=main"]
        words += [f"--object-format={hashes}"]
        subprocess.run(["git", "init", *words, path], check=True)
        return cls(path)

    @property
    def url(self) -> str:
        return f"file://{self.path}"

    def git(self, *words: str, stdin: bytes = b"") -> str:
        command = ["git", f"--git-dir={self.path}", *words]
        done = subprocess.run(command, input=stdin, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def commit(self, files: Mapping[str, bytes | Special]) -> str:
        """A commit of exactly these files on ``main``, whatever their names."""
        tip = self.git("for-each-ref", "--format=%(objectname)", "refs/heads/main")
        parent = ["-p", tip] if tip else []
        commit = self.git("commit-tree", *parent, "-m", "change", self._tree(files))
        self.branch("main", commit)
        return commit

    def release(
        self,
        version: str,
        files: Mapping[str, bytes | Special],
        *,
        annotated: bool = False,
    ) -> str:
        """A commit of these files and its version tag."""
        commit = self.commit(files)
        self.tag(f"v{version}", commit, annotated=annotated)
        return commit

    def tag(self, name: str, commit: str, *, annotated: bool = False) -> None:
        note = ["-a", "-m", name] if annotated else []
        self.git("tag", "--force", *note, "--", name, commit)

    def branch(self, name: str, commit: str) -> None:
        self.git("update-ref", f"refs/heads/{name}", commit)

    def delete_tag(self, name: str) -> None:
        self.git("tag", "--delete", "--", name)

    def forget_unreachable(self) -> None:
        self.git("reflog", "expire", "--expire=now", "--all")
        self.git("gc", "--quiet", "--prune=now")

    def object_count(self) -> int:
        return len(
            self.git("cat-file", "--batch-all-objects", "--batch-check").split("\n")
        )

    def _tree(self, files: Mapping[str, bytes | Special]) -> str:
        folders: dict[str, dict[str, bytes | Special]] = defaultdict(dict)
        lines = []
        for path, content in files.items():
            first, slash, rest = path.partition("/")
            if slash:
                folders[first][rest] = content
            elif isinstance(content, bytes):
                lines.append(f"100644 blob {self._blob(content)}\t{first}")
            elif content.mode == "160000":
                lines.append(f"160000 commit {content.content}\t{first}")
            else:
                blob = self._blob(content.content.encode())
                lines.append(f"{content.mode} blob {blob}\t{first}")
        lines += [f"040000 tree {self._tree(f)}\t{name}" for name, f in folders.items()]
        listing = "".join(f"{line}\0" for line in lines).encode()
        return self.git("mktree", "-z", "--missing", stdin=listing)

    def _blob(self, content: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", stdin=content)
