"""The copy of a repository with what may be known of it before anybody is trusted."""

from __future__ import annotations

from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from hub_client.candidate import read_reason
from hub_client.git_commands import GitFailed, TooLong, run_git
from hub_client.git_url import is_whole, mirror_path
from hub_client.sources.git_copy import OURS, GitCopy
from hub_client.sources.version_tags import is_yank_tag
from hub_client.store import CacheUnwritable
from hub_client.tree_digest import UnsafeTree
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hub_client.git_tree import TreeEntry
    from hub_client.git_url import GitUrl
    from hub_client.sources.git_copy import Tag


class NoPreview(HubError):
    """A server does not give paths and manifest alone, and nobody trusts the rest."""

    def __init__(self, url: GitUrl, problem: str) -> None:
        super().__init__(
            f"`{url}` is not trusted, and {problem}",
            hint=f"If you trust who publishes there, run `hub trust add git+{url}`",
        )


_UNTOLD: Final = (GitFailed, UnsafeTree, CacheUnwritable, NoPreview)
"""Why the reasons of yanks may stay unknown."""


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

    def __init__(self, url: GitUrl, cache_dir: Path) -> None:
        path = mirror_path(url, cache_dir)
        super().__init__(url, path.with_name(f"{path.name}-preview"))

    def bring(self, entry: TreeEntry) -> int:
        """Have the bytes of one file here, and say how many there are.

        :raises NoPreview: if the server gives no single files, or one that is too long.
        :raises CacheUnwritable: as ``fetch``.
        """
        size = self._size(entry)
        if size is not None:
            return size
        try:
            with self._locked(entry.object_id):
                self._run_fetch(entry.object_id)
        except GitFailed as error:
            problem = f"does not give `{entry.path}` alone: {error.reason}"
            raise NoPreview(self.url, problem) from error
        size = self._size(entry)
        assert size is not None  # it was asked for, and git missed nothing
        return size

    def yank_reasons(self, tags: Mapping[str, Tag]) -> dict[str, str]:
        """The message of each tag that says a version is yanked, by ref.

        Messages that are not here are fetched, all at once; a tag without one
        is left out, and so is every new one if the server gives none that is sound, or
        the cache cannot be written.

        :param tags: all there are at the URL.
        """
        wanted = {ref: tag for ref, tag in tags.items() if is_yank_tag(ref)}
        known = {ref: t for ref, t in self.known_tags().items() if is_yank_tag(ref)}
        if not wanted and not known:
            return {}
        new = [ref for ref, tag in wanted.items() if known.get(ref) != tag]
        gone = known.keys() - wanted.keys()
        if new or gone:
            like = next((each.commit for each in wanted.values()), "")
            with suppress(*_UNTOLD), self._locked(like):
                for ref in gone:
                    words = ("-d", "--", ref.replace("refs/", OURS, 1))
                    run_git("update-ref", *words, git_dir=self.path)
                if new:
                    self._run_fetch(
                        *(f"+{r}:{r.replace('refs/', OURS, 1)}" for r in new)
                    )
        return self.known_reasons()

    def known_reasons(self) -> dict[str, str]:
        """The messages that were fetched before, by ref, as ``read_reason`` keeps them.

        Empty if they are so long that git is ended before it printed them.
        """
        if not is_whole(self.path):
            return {}
        try:
            listing = run_git(
                "for-each-ref",
                "--format=%(objecttype)\t%(refname)\t%(contents:subject)",
                f"{OURS}tags/",
                git_dir=self.path,
            )
        except TooLong:
            return {}
        lines = listing.decode(errors="replace").splitlines()
        return {
            ref.replace(OURS, "refs/", 1): read_reason(message)
            for kind, ref, message in (line.split("\t", 2) for line in lines)
            if kind == "tag" and message
        }

    def _size(self, entry: TreeEntry) -> int | None:
        """Bytes of a file; None if it is not here."""
        try:
            found = run_git("cat-file", "-s", entry.object_id, git_dir=self.path)
        except GitFailed:
            return None
        return int(found)

    def _run_fetch(self, *refspecs: str) -> None:
        try:
            super()._run_fetch(*refspecs)
        except GitFailed as error:
            if not self._is_full():
                raise
            self._clear()
            most = f"{self._file_limit >> 20} MiB"
            problem = f"sends more than {most} with its paths and manifests"
            raise NoPreview(self.url, problem) from error

    def _is_full(self) -> bool:
        """Whether git was ended because it wrote as much as it may."""
        arriving = self.path.glob("objects/pack/tmp_pack_*")
        return any(each.stat().st_size >= self._file_limit for each in arriving)
