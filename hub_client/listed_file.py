"""Files as a source lists them: enough to show them, and to tell which one differs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, runtime_checkable

from hub_client.tree_digest import tree_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from hub_client.candidate import Fetchable

BLOB: Final = "blob "
"""How a digest begins that is git's name of the bytes; SHA-1, or SHA-256 by length."""
_SHA1_DIGITS: Final = 40


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One file of a release: what a source says of it."""

    path: str
    size: int
    digest: str
    """``sha256:…`` of the bytes, or ``blob …``: git's own name for them."""

    @property
    def is_well_typed(self) -> bool:
        """Whether it is one: whatever JSON can hold may stand where it was read."""
        types = [type(each) for each in (self.path, self.size, self.digest)]
        return types == [str, int, str]

    def describes(self, file: Path) -> bool:
        """Whether ``file`` has these very bytes."""
        return file.stat().st_size == self.size and self.digest == digest_like(
            file, self.digest
        )


@dataclass(frozen=True, slots=True)
class NamedFile:
    """One file of a release, of which its source says no more than path and digest."""

    path: str
    digest: str
    size: None = None

    def describes(self, file: Path) -> bool:
        """As that of a listed file."""
        return self.digest == digest_like(file, self.digest)


AnyFile: TypeAlias = ListedFile | NamedFile


@runtime_checkable
class ListingSource(Protocol):
    """A source that can list the files of a release without giving them."""

    def files(self, wanted: Fetchable) -> Sequence[AnyFile]:
        """Every file of ``wanted``, by path.

        :raises HubError: if the revision cannot be had.
        """


def list_folder(folder: Path) -> tuple[ListedFile, ...]:
    """The files of a folder, as a source would list them.

    :raises UnsafeTree: if it holds what may not be stored.
    """
    return tuple(
        ListedFile(
            path,
            (folder / path).stat().st_size,
            digest_like(folder / path, "sha256:"),
        )
        for path in tree_files(folder)
    )


def differing_files(folder: Path, listed: Sequence[AnyFile]) -> Iterator[str]:
    """A sentence for each file that is not as listed, is missing, or is too many."""
    found, expected = set(tree_files(folder)), {each.path: each for each in listed}
    for path in sorted(found | expected.keys()):
        if path not in found:
            yield f"`{path}` is missing"
        elif path not in expected:
            yield f"`{path}` was added"
        elif not expected[path].describes(folder / path):
            yield f"`{path}` was changed"


def digest_like(file: Path, like: str) -> str:
    """The digest of a file's bytes, of the kind that ``like`` is."""
    with file.open("rb") as content:
        if not like.startswith(BLOB):
            return f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"
        sha1 = len(like) == len(BLOB) + _SHA1_DIGITS
        # Which of the two is the repository's choice; the tree's own digest is ours.
        named = hashlib.new("sha1" if sha1 else "sha256", usedforsecurity=False)
        named.update(b"blob %d\0" % file.stat().st_size)
        while block := content.read(1 << 20):
            named.update(block)
        return f"{BLOB}{named.hexdigest()}"
