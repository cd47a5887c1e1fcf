"""The copy of a repository with what may be known of it before anybody is trusted."""

from __future__ import annotations

import shlex
import shutil
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from hub_client.atomic_file import write_atomically
from hub_client.git_commands import GitFailed, run_git
from hub_client.git_url import mirror_path
from hub_client.sources.git_copy import GitCopy
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from pathlib import Path

    from hub_client.git_tree import TreeEntry
    from hub_client.git_url import GitUrl

_NOT_GIVEN: Final = ("unadvertised object", "not our ref")
"""What a server says that gives only what its refs name."""


class NoPreview(HubError):
    """A server does not give paths and manifest alone, and nobody trusts the rest."""

    def __init__(self, url: GitUrl, problem: str) -> None:
        command = f"hub trust add {shlex.quote(f'git+{url}')}"
        super().__init__(
            f"`{url}` is not trusted, and {problem}",
            hint=f"If you trust who publishes there, run `{command}`",
        )


class GitPreview(GitCopy):
    """Has the paths of commits, the files that were asked for, and why some are yanked.

    A server that does not filter sends other files along, up to a limit.
    """

    _filters = ("--filter=blob:none",)
    _settings = MappingProxyType(
        {
            # In one file, whose size the system limits.
            "fetch.unpackLimit": "1",
            # That a commit is here does not say that its files are.
            "fetch.negotiationAlgorithm": "noop",
        }
    )
    _file_limit = 64 << 20
    """Bytes that one fetch may bring; a thousand paths have some 50,000."""
    _purpose = " (before trust)"

    def __init__(self, url: GitUrl, cache_dir: Path) -> None:
        path = mirror_path(url, cache_dir)
        super().__init__(url, path.with_name(f"{path.name}-preview"))

    def size(self, entry: TreeEntry) -> int | None:
        """As everywhere; the names of files came without their sizes."""
        try:
            found = run_git("cat-file", "-s", entry.object_id, git_dir=self.path)
        except GitFailed:
            return None
        return int(found)

    def bring(self, entry: TreeEntry) -> None:
        """Have one file here.

        :raises NoPreview: if the server gives no single files, or one that is too long.
        :raises GitFailed: if it does not answer.
        :raises CacheUnwritable: as ``fetch``.
        """
        try:
            super().bring(entry)
        except GitFailed as error:
            if not any(said in error.stderr for said in _NOT_GIVEN):
                raise
            problem = f"does not give `{entry.path}` alone: {error.reason}"
            raise NoPreview(self.url, problem) from error

    def _check_arrived(self, commit: str) -> None:
        # Here git takes what is missing for what was not wanted.
        words = ("-r", "-z", "--name-only", "--full-tree", "--", commit)
        run_git("ls-tree", *words, git_dir=self.path)

    def _run_fetch(self, *refspecs: str) -> None:
        try:
            super()._run_fetch(*refspecs)
        except GitFailed as error:
            if not self._is_full():
                raise
            super()._clear()
            most = f"{self._file_limit >> 20} MiB"
            problem = f"sends more than {most} with its paths and manifests"
            raise NoPreview(self.url, problem) from error
        finally:
            self._forget_whom_to_ask()

    def _clear(self) -> None:
        super()._clear()
        self._forget_whom_to_ask()
        packs = self.path.glob("objects/pack/*")
        if sum(each.stat().st_size for each in packs) > self._file_limit:
            # Of many versions; what is asked for again comes again.
            shutil.rmtree(self.path)

    def _forget_whom_to_ask(self) -> None:
        """Undo what git notes when it filters: where the rest is, and as whom to ask.

        What is missing is not wanted, and a name in an address may be a token.
        """
        config = self.path / "config"
        if config.exists():
            text = config.read_text(encoding="utf-8")
            own = text.partition('[remote "')[0]
            if own != text:
                write_atomically(config, own.encode())

    def _is_full(self) -> bool:
        """Whether git was ended because it wrote as much as it may."""
        arriving = self.path.glob("objects/pack/tmp_*")
        return any(each.stat().st_size >= self._file_limit for each in arriving)
