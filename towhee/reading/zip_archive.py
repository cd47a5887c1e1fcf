"""Members of zip archives, read without writing any of them to disk."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from towhee.reading.files import FileRows, UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zipfile import ZipFile, ZipInfo

MEMBER_LIMIT: Final = 2**28
"""The most bytes one member may unpack to: 256 MiB, unless a caller says otherwise."""


@dataclass(frozen=True, slots=True, repr=False)
class ZipRows(FileRows):
    """The bytes of each member whose name matches, in the archive's order.

    A name only says which members are meant: nothing is written where it points.
    """

    pattern: str = "*"
    names: bool = False
    """Whether rows are pairs of a member's name and its bytes."""
    limit: int = MEMBER_LIMIT

    def __iter__(self) -> Iterator[bytes | tuple[str, bytes]]:
        """Unpack one member after the other."""
        from zipfile import BadZipFile, ZipFile  # noqa: PLC0415  (5 ms)

        try:
            with ZipFile(self.path) as archive:
                for member in self._members(archive):
                    content = self._content(archive, member)
                    yield (member.filename, content) if self.names else content
        except BadZipFile as error:
            raise UnreadableFile(
                f"`{self.path}` cannot be unpacked: {error}"
            ) from error

    def _members(self, archive: ZipFile) -> list[ZipInfo]:
        files = [member for member in archive.infolist() if not member.is_dir()]
        found = [m for m in files if fnmatchcase(m.filename, self.pattern)]
        if not found:
            raise UnreadableFile(
                f"None of the {len(files)} files in `{self.path}` matches "
                f"`{self.pattern}`"
            )
        return found

    def _content(self, archive: ZipFile, member: ZipInfo) -> bytes:
        try:
            # What the archive says of a member's size need not be so.
            with archive.open(member) as file:
                content = file.read(self.limit + 1)
        except (RuntimeError, NotImplementedError, EOFError, zlib.error) as error:
            raise UnreadableFile(
                f"`{member.filename}` of `{self.path}` cannot be unpacked: {error}"
            ) from error
        if len(content) > self.limit:
            raise UnreadableFile(
                f"`{member.filename}` of `{self.path}` unpacks to more than "
                f"{self.limit} bytes",
                hint="Give a higher `limit` if you trust the archive",
            )
        return content
