"""A bare repository that a test fills by plumbing, so it can also hold what git refuses."""

from __future__ import annotations

import hashlib
import subprocess
import zlib
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
    hashes: str = "sha1"

    @classmethod
    def create(cls, path: Path, *, hashes: str = "sha1") -> GitRepository:
        words = ["--quiet", "--bare", "--initial-branch=main"]
        words += [f"--object-format={hashes}"]
        subprocess.run(["git", "init", *words, path], check=True)
        return cls(path, hashes)

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
        entries = []
        for path, content in files.items():
            first, slash, rest = path.partition("/")
            if slash:
                folders[first][rest] = content
            elif isinstance(content, bytes):
                entries.append((first, "100644", self.write("blob", content)))
            elif content.mode == "160000":
                entries.append((first, content.mode, content.content))
            else:
                blob = self.write("blob", content.content.encode())
                entries.append((first, content.mode, blob))
        entries += [(n, "40000", self._tree(below)) for n, below in folders.items()]
        # git sorts a folder as if its name ended with a slash.
        entries.sort(key=lambda each: (each[0] + "/" * (each[1] == "40000")).encode())
        rows = (
            f"{mode} {name}".encode() + b"\0" + bytes.fromhex(object_id)
            for name, mode, object_id in entries
        )
        return self.write("tree", b"".join(rows))

    def write(self, kind: str, content: bytes) -> str:
        """Write an object, also one that git calls malformed, without a process for it."""
        whole = f"{kind} {len(content)}".encode() + b"\0" + content
        object_id = hashlib.new(self.hashes, whole).hexdigest()
        path = self.path / "objects" / object_id[:2] / object_id[2:]
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(zlib.compress(whole, 1))
        return object_id
