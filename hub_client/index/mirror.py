"""The copy of an index in the cache: its newest commit, read from git's objects."""

from __future__ import annotations

import re
from io import BytesIO
from typing import IO, TYPE_CHECKING, Final

from hub_client.git_commands import GitFailed, open_objects, run_git
from hub_client.index.entry import FOLDER, SIZE_LIMIT, SUFFIX, InvalidEntry, entry_path
from hub_client.sources.git_mirror import GitMirror
from plugin_spec.errors import InvalidName
from plugin_spec.names import OperatorName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_TIP: Final = "refs/hub/tip"
_LINE = re.compile(
    rf"100644 blob (?P<id>[0-9a-f]+)\t{FOLDER}/(?P<name>[^/]+/[^/]+){SUFFIX}"
)


class IndexMirror(GitMirror):
    """The mirror of an index: one commit, whatever its history."""

    def known_tip(self) -> str | None:
        """The commit that was fetched last; None if none was."""
        try:
            return (self.path / _TIP).read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None

    def fetch_tip(self) -> str:
        """Have the newest commit of the default branch; one that is here costs nothing.

        :raises GitFailed: if the URL does not answer, or has no commit.
        """
        listing = run_git("ls-remote", "--", str(self.url), "HEAD", remote=True)
        newest = listing.partition(b"\t")[0].decode()
        if not newest:
            raise GitFailed("ls-remote", "fatal: it has no commit yet")
        if newest != self.known_tip():
            with self._locked():
                # The ref is written last: what it names is here completely.
                self._run_fetch(f"+HEAD:{_TIP}")
        return self.known_tip() or newest

    def blobs(self, commit: str) -> dict[OperatorName, str]:
        """The id of each operator's entry; what is no entry's path is passed over."""
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
        """The bytes of entries, one after the other.

        :raises InvalidEntry: if one has more bytes than it may.
        """
        with open_objects(self.path) as copy:
            for name, blob in blobs:
                yield name, _read(copy, name, blob)


def _read(
    copy: Callable[[str, IO[bytes]], None], name: OperatorName, blob: str
) -> bytes:
    into = _Bounded()
    try:
        copy(blob, into)
    except OverflowError as error:
        problem = f"more than {SIZE_LIMIT:,} bytes are too many"
        raise InvalidEntry(entry_path(name), [problem]) from error
    return into.getvalue()


class _Bounded(BytesIO):
    """Takes no more than an entry may have."""

    def write(self, block: bytes, /) -> int:  # type: ignore[override]  # bytes only
        if self.tell() + len(block) > SIZE_LIMIT:
            raise OverflowError
        return super().write(block)


def _parse(text: str) -> OperatorName | None:
    try:
        return OperatorName.parse(text)
    except InvalidName:
        return None
