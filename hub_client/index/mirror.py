"""The copy of an index in the cache: its newest commit, read from git's objects."""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING, Final

from hub_client.git_commands import GitFailed, TooLong, open_objects, run_git
from hub_client.index.entry import FOLDER, SIZE_LIMIT, SUFFIX
from hub_client.index.tip import TIP, known_tip, note_asked
from hub_client.sources.git_mirror import GitMirror
from plugin_spec.errors import InvalidName
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FORGOTTEN_LIMIT: Final = 64 << 20
"""Bytes; a few kilobytes of git's objects can be terabytes of an entry."""
# On some systems every file may be run, and git commits it so.
_LINE = re.compile(
    rf"100(?:644|755) blob (?P<id>[0-9a-f]+)\t{FOLDER}/(?P<name>[^/]+/[^/]+){SUFFIX}"
)


class IndexMirror(GitMirror):
    """The mirror of an index: one commit, whatever its history."""

    def known_tip(self) -> str | None:
        """The commit that was fetched last; None if none was."""
        return known_tip(self.path)

    def fetch_tip(self) -> str:
        """Have the newest commit of the default branch; one that is here costs nothing.

        :raises GitFailed: if the URL does not answer, or has no commit.
        """
        listing = run_git("ls-remote", "--", str(self.url), "HEAD", remote=True)
        newest = listing.partition(b"\t")[0].decode()
        if not newest:
            raise GitFailed("ls-remote", "fatal: its default branch has no commit")
        if newest != self.known_tip():
            with self._locked(newest):
                # The ref is written last: what it names is here completely.
                self._run_fetch(f"+HEAD:{TIP}")
        note_asked(self.path)
        return self.known_tip() or newest

    def blobs(self, commit: str) -> dict[OperatorName, str]:
        """The id of each operator's entry; what is no entry's path is passed over.

        :raises TooLong: if git lists more than anybody reads.
        """
        arguments = ("-r", "-z", "--full-tree", "--", commit, f"{FOLDER}/")
        listing = run_git("ls-tree", *arguments, git_dir=self.path)
        found = {}
        for line in listing.decode(errors="replace").split("\0"):
            if (match := _LINE.fullmatch(line)) and (name := _parse(match["name"])):
                found[name] = match["id"]
        return found

    def entries_of(
        self, blobs: Iterable[tuple[OperatorName, str]]
    ) -> Iterator[tuple[OperatorName, bytes]]:
        """The bytes of entries, one after the other; too many are cut off.

        :raises TooLong: if there is no end to one.
        """
        with open_objects(self.path) as copy:
            for name, blob in blobs:
                into = _Bounded()
                copy(blob, into)
                yield name, into.getvalue()


class _Bounded(BytesIO):
    """Keeps one byte more than an entry may have, and forgets the rest."""

    _forgotten = 0

    def write(self, block: bytes, /) -> int:  # type: ignore[override]  # bytes only
        kept = super().write(block[: SIZE_LIMIT + 1 - self.tell()])
        self._forgotten += len(block) - kept
        if self._forgotten > _FORGOTTEN_LIMIT:
            reason = f"an entry has more than {_FORGOTTEN_LIMIT:,} bytes"
            raise TooLong("cat-file", reason)
        return len(block)


def _parse(text: str) -> OperatorName | None:
    try:
        return OperatorName.parse(text)
    except InvalidName:
        return None
