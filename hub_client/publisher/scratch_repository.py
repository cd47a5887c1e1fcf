"""A bare repository for one command: the only one that publishing writes to."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from hub_client.git_commands import GitFailed, run_git
from hub_client.store import MAKE_ROOM
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_SHA256_LENGTH: Final = 64


class NoIdentity(HubError):
    """Commits and tags have an author, and git does not know who the user is."""

    def __init__(self) -> None:
        super().__init__(
            "Git does not know who you are, and a commit says who made it",
            hint="Run `git config --global user.name NAME` "
            "and `git config --global user.email ADDRESS`",
        )


def check_identity() -> None:
    """Refuse to go on if git does not know in whose name.

    :raises NoIdentity: saying how to tell it.
    """
    try:
        for role in ("AUTHOR", "COMMITTER"):
            run_git("var", f"GIT_{role}_IDENT", remote=True)
    except GitFailed as error:
        raise NoIdentity from error


class ScratchUnwritable(HubError):
    """There is no room for what one publication takes on its way."""

    def __init__(self, folder: Path, error: OSError) -> None:
        super().__init__(
            f"Cannot write to `{folder}`: {error.strerror}",
            hint=MAKE_ROOM,
        )


@dataclass(frozen=True, slots=True)
class ScratchRepository:
    """Objects of our own, and those of a repository that we only read."""

    path: Path

    @classmethod
    def create(cls, path: Path, *, borrowing: Path | None = None) -> Self:
        """Make one.

        :param borrowing: the git folder of a repository whose objects it sees.
        """
        words = ("-q", "--bare", "--template=")
        if borrowing is None:
            run_git("init", *words, "--", str(path))
            return cls(path)
        questions = ("--show-object-format", "--path-format=absolute")
        places = ("--git-path", "objects", "--git-path", "shallow")
        answer = run_git("rev-parse", *questions, *places, git_dir=borrowing)
        form, objects, shallow = os.fsdecode(answer).splitlines()
        run_git("init", *words, f"--object-format={form}", "--", str(path))
        (path / "objects" / "info").mkdir(exist_ok=True)
        alternates = path / "objects" / "info" / "alternates"
        alternates.write_bytes(os.fsencode(f"{objects}\n"))
        if Path(shallow).exists():
            (path / "shallow").write_bytes(Path(shallow).read_bytes())
        return cls(path)

    def hash_like(self, object_id: str) -> None:
        """Name objects as a repository does that has this one, before any is here."""
        borrowing = (self.path / "objects" / "info" / "alternates").exists()
        if len(object_id) != _SHA256_LENGTH or borrowing:
            return
        if self.git("rev-parse", "--show-object-format") == "sha1":
            shutil.rmtree(self.path)
            words = ("-q", "--bare", "--template=", "--object-format=sha256")
            run_git("init", *words, "--", str(self.path))

    @property
    def is_shallow(self) -> bool:
        """Whether what it borrows from has not all of its history."""
        return (self.path / "shallow").exists()

    def git(self, command: str, *arguments: str, typed: bytes = b"") -> str:
        """Run one command that needs nothing of the user's.

        :raises ScratchUnwritable: if the disk is full.
        """
        with self._reporting():
            output = run_git(command, *arguments, git_dir=self.path, typed=typed)
        return os.fsdecode(output).removesuffix("\n")

    def as_user(self, command: str, *arguments: str) -> str:
        """Run one command in the user's name, with what proves who they are.

        :raises ScratchUnwritable: if the disk is full; of a push, nobody can tell
            whose disk that is.
        """
        with nullcontext() if command == "push" else self._reporting():
            output = run_git(command, *arguments, git_dir=self.path, remote=True)
        return os.fsdecode(output).removesuffix("\n")

    def tree(self, folder: Path, paths: Iterable[str]) -> str:
        """Store files of a folder, byte by byte, and give the id of their tree."""
        paths = list(paths)
        listed = "".join(f"{folder / path}\n" for path in paths)
        words = ("-w", "--no-filters", "--stdin-paths")
        blobs = self.git("hash-object", *words, typed=os.fsencode(listed)).splitlines()
        modes = (
            "100755" if os.access(folder / path, os.X_OK) else "100644"
            for path in paths
        )
        entries = "".join(
            f"{mode} {blob}\t{path}\0"
            for mode, blob, path in zip(modes, blobs, paths, strict=True)
        )
        self.git("read-tree", "--empty")
        self.git("update-index", "-z", "--index-info", typed=os.fsencode(entries))
        return self.git("write-tree")

    def tree_with(self, commit: str | None, path: str, text: bytes) -> str:
        """The tree of a commit with one file put in, or replaced."""
        blob = self.git("hash-object", "-w", "--stdin", typed=text)
        self.git("read-tree", commit or "--empty")
        self.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
        return self.git("write-tree")

    def paths(self, commit: str) -> frozenset[str]:
        """Everything that a commit has, below its folders too."""
        words = ("-r", "-z", "--name-only", "--full-tree")
        return frozenset(self.git("ls-tree", *words, commit).split("\0")[:-1])

    def read(self, commit: str, path: str) -> bytes | None:
        """The bytes of one file of a commit; None if it has none there."""
        listing = self.git("ls-tree", "--full-tree", commit, "--", path)
        if not listing.startswith(("100644 blob ", "100755 blob ")):
            return None
        return run_git("cat-file", "blob", listing.split()[2], git_dir=self.path)

    def commit(self, tree: str, message: str, *, parent: str | None) -> str:
        """Make a commit in the user's name.

        :raises NoIdentity: if git knows none.
        """
        parents = ("-p", parent) if parent else ()
        check_identity()
        return self.as_user("commit-tree", *parents, "-m", message, tree)

    def annotate(self, tag: str, commit: str, message: str) -> str:
        """Make a tag with a message in the user's name, and give its ref.

        :raises NoIdentity: if git knows none.
        """
        check_identity()
        words = ("--annotate", "--no-sign", "--cleanup=verbatim")
        self.as_user("tag", *words, f"--message={message}", "--", tag, commit)
        return f"refs/tags/{tag}"

    def note(self, ref: str, commit: str, text: bytes) -> None:
        """Make a note on a commit in the user's name, byte by byte.

        :raises NoIdentity: if git knows none.
        """
        check_identity()
        blob = self.git("hash-object", "-w", "--stdin", typed=text)
        words = (f"--ref={ref}", "add", "--force", "--allow-empty", "-C", blob)
        self.as_user("notes", *words, "--", commit)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except GitFailed as error:
            if disk_error := error.disk_error:
                raise ScratchUnwritable(self.path.parent, disk_error) from error
            raise
