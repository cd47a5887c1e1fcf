"""Where a bundle lies: in a folder, or at a static web server."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote, urlsplit

from hub_client.bundle import download
from hub_client.bundle.download import FileDamaged, FileMissing, Wanted
from hub_client.home import expanded
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hub_client.listed_file import ListedFile
    from hub_client.transfer import Advance


_RESERVED: Final = "/:@!$&'()*+,;="
"""What stands for itself in the path of an address."""


class NoBundle(HubError, LookupError):
    """There is no bundle where one was looked for."""


class Place(Protocol):
    """Gives the files of a bundle by their paths in it."""

    @property
    def name(self) -> str:
        """As a message may have it."""

    def read(self, path: str, limit: int) -> bytes:
        """A small file.

        :raises HubError: if it cannot be had, or is larger than ``limit``.
        """

    def bring(self, file: ListedFile, into: Path, advance: Advance) -> None:
        """Bring a file to ``into``, which appears when its bytes are checked.

        :raises FileMissing: if it is not there.
        :raises FileDamaged: if it is another one.
        """


@dataclass(frozen=True, slots=True)
class FolderPlace:
    """A folder of this machine, or of a disk that was brought to it."""

    root: Path

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.root)

    def read(self, path: str, limit: int) -> bytes:
        """As ``Place`` says."""
        with download.open_regular(self._path(path), self._subject(path)) as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise FileDamaged(f"{self._subject(path)} has more than {limit:,} bytes")
        return content

    def bring(self, file: ListedFile, into: Path, advance: Advance) -> None:
        """As ``Place`` says."""
        wanted = Wanted.listed(file, self._subject(file.path))
        with _hinting():
            download.copy(self._path(file.path), into, wanted, advance)

    def _path(self, path: str) -> Path:
        """Where a listed file lies: below the root, through no link."""
        folder = self.root
        for part in path.split("/")[:-1]:
            folder /= part
            if folder.is_symlink():
                raise FileDamaged(f"`{folder}` is a symbolic link")
        return self.root / path

    def _subject(self, path: str) -> str:
        return f"`{path}` in `{self.root}`"


@dataclass(frozen=True, slots=True)
class WebPlace:
    """A folder that a static web server gives."""

    url: str
    """Without a slash at the end."""

    @property
    def name(self) -> str:
        """Its address, without a password."""
        return download.shown(self.url)

    def read(self, path: str, limit: int) -> bytes:
        """As ``Place`` says."""
        return download.read(self._address(path), limit)

    def bring(self, file: ListedFile, into: Path, advance: Advance) -> None:
        """As ``Place`` says."""
        subject = f"`{download.shown(self._address(file.path))}`"
        wanted = Wanted.listed(file, subject)
        with _hinting():
            download.download(self._address(file.path), into, wanted, advance)

    def _address(self, path: str) -> str:
        return f"{self.url}/{quote(path)}"


@contextmanager
def _hinting() -> Iterator[None]:
    """Say what to do about a file that is missing or damaged."""
    try:
        yield
    except (FileMissing, FileDamaged) as error:
        raise type(error)(
            str(error),
            hint="Run it again if the bundle was being brought up to date; otherwise, "
            "where there is a network, `hub mirror --recheck` mends it",
        ) from error


def open_place(text: str, *, offline: bool) -> Place:
    """The place that a user names: a path, or an address.

    :raises NoBundle: if it is neither, or needs a network that may not be used.
    """
    if "://" not in text:
        return FolderPlace(expanded(text))
    try:
        parts = urlsplit(text)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname)
        parts.port  # noqa: B018  (raises if it is no number)
    except ValueError:
        known = False
    if not known or parts.query or parts.fragment:
        raise NoBundle(
            f"expected a folder or an address of one, got {text!r}",
            hint="Write a path, or `http://…` or `https://…`",
        )
    if offline:
        raise NoBundle(
            f"`{download.shown(text)}` needs a network, and you are offline",
            hint="Name a folder, or run it without `--offline`, or with HUB_OFFLINE=0",
        )
    # As people copy it, its path may have spaces, or letters of any language.
    path = quote(parts.path.rstrip("/"), safe=f"{_RESERVED}%")
    return WebPlace(parts._replace(path=path).geturl())


__all__ = ["FileDamaged", "FileMissing", "NoBundle", "Place", "open_place"]
