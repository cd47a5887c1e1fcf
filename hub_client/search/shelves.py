"""Where catalogues come from: a shelf a source, filled again when that has changed."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from hub_client.git_url import mirror_path, parse_git_url
from hub_client.index.tip import known_tip, seconds_since_asked
from hub_client.search.catalogue import Card, Catalogue, newest
from hub_client.sources import INDEX, MANIFEST_FILE
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from hub_client.index.entry import IndexEntry
    from hub_client.sources.index import IndexSource

FRESH_SECONDS: Final = 600
"""How long after an index was asked a search does not ask it again."""
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Told:
    """Who is told, in sentences, how the reading goes."""

    say: Callable[[str], object] = lambda _: None
    """What takes a while."""
    warn: Callable[[str], object] = lambda _: None
    """What is not as good as it could be."""


def in_words(error: HubError | OSError) -> str:
    """An error and the way on, for a warning."""
    if isinstance(error, HubError):
        return f"{error} ({error.hint})" if error.hint else str(error)
    what = f"cannot read `{error.filename}`: " if error.filename else ""
    hint = " (See who may read there)" if isinstance(error, PermissionError) else ""
    return f"{what}{error.strerror or error}{hint}"


class Shelf(Protocol):
    """What a search can look through."""

    def open(self, *, refresh: bool, told: Told) -> Catalogue:
        """Read the catalogue, filling the shelf first if its source has changed.

        :param refresh: whether to ask a server in any case.
        :raises HubError: if there is nothing to read.
        :raises OSError: likewise.
        """


@dataclass(frozen=True, slots=True)
class IndexShelf:
    """The operators of an index, as of the commit that is here."""

    spec: str
    cache_dir: Path
    offline: bool

    def open(self, *, refresh: bool, told: Told) -> Catalogue:
        """As ``Shelf`` says; the server is asked if that is some time ago.

        :raises IndexUnreachable: if the index was never fetched and cannot be.
        :raises CacheUnwritable: if its copy cannot be read, let alone made.
        """
        url = parse_git_url(self.spec.removeprefix(INDEX))
        mirror = mirror_path(url, self.cache_dir)
        try:
            tip, age = known_tip(mirror), seconds_since_asked(mirror)
        except OSError as error:
            from hub_client.store import CacheUnwritable  # noqa: PLC0415  (slow)

            raise CacheUnwritable(self.cache_dir, error) from error
        stale = refresh or age > FRESH_SECONDS
        if tip is None or (stale and not self.offline):
            tip = self._ask(tip, told)
        file = _file(self.cache_dir, self.spec)
        if (found := Catalogue.load(file, tip)) is None:
            told.say(f"Reading what changed in `{self.spec}`")
            found = Catalogue.of_lines(self._lines(tip, file, told))
            found.save(file, tip)
        return found

    def _source(self) -> IndexSource:
        from hub_client.sources.index import IndexSource  # noqa: PLC0415  (slow)

        url = self.spec.removeprefix(INDEX)
        return IndexSource(url, cache_dir=self.cache_dir, offline=self.offline)

    def _ask(self, tip: str | None, told: Told) -> str:
        try:
            return self._source().commit
        except HubError as error:
            if tip is None:
                raise
            told.warn(f"{error}; searching what was fetched last")
            return tip

    def _lines(self, commit: str, file: Path, told: Told) -> Iterator[str]:
        """A line an operator; one whose entry is as it was is not read again."""
        from hub_client.index.entry import IndexEntry, InvalidEntry  # noqa: PLC0415

        mirror = self._source().mirror
        known = (Catalogue.load(file) or Catalogue()).stamped()
        blobs = mirror.blobs(commit)
        new = {}
        for name, blob in blobs.items():
            if line := known.get((str(name), blob)):
                yield line
            else:
                new[name] = blob
        unread: list[str] = []
        for name, text in mirror.entries_of(new.items()):
            try:
                entry = IndexEntry.parse(name, text, where=str(name))
                yield _card(entry).to_line(new[name])
            except InvalidEntry as error:
                unread.append(f"{name} ({_printable(error.problems[0])})")
            except (TypeError, KeyError):
                unread.append(f"{name} (no summary, licence, inputs or outputs)")
        if unread:
            told.warn(f"In `{self.spec}` cannot be read: {_some(unread)}")


@dataclass(frozen=True, slots=True)
class FolderShelf:
    """The operators of a folder, as of its manifests' sizes and times."""

    spec: str
    folder: Path
    cache_dir: Path

    def open(self, *, refresh: bool, told: Told) -> Catalogue:
        """As ``Shelf`` says."""
        self._check()
        file, key = _file(self.cache_dir, f"{self.spec} {self.folder}"), self._state()
        found = None if refresh else Catalogue.load(file, key)
        if found is None:
            told.say(f"Reading the operators in `{self.spec}`")
            cards, unread = self._cards()
            found = Catalogue.of(cards)
            for problem in unread:
                told.warn(problem)
            if not unread:
                # What is mended may have the size and the time that it had before.
                found.save(file, key)
        return found

    def _check(self) -> None:
        """Refuse a folder that cannot be listed; a warm search imports nothing for it.

        :raises FolderUnreadable: as ``DirectorySource`` says it, if it is not there.
        """
        try:
            os.scandir(self.folder).close()
        except (FileNotFoundError, NotADirectoryError):
            from hub_client.sources.directory import DirectorySource  # noqa: PLC0415

            DirectorySource(self.folder).check_folder()

    def _state(self) -> str:
        """Changes when a manifest does; nothing is read."""
        listing = hashlib.sha256()
        for pattern in (f"*/*/{MANIFEST_FILE}", f"*/*/*/{MANIFEST_FILE}"):
            for file in sorted(self.folder.glob(pattern)):
                status = file.stat()
                line = f"{file} {status.st_size} {status.st_mtime_ns}\n"
                listing.update(line.encode(errors="surrogateescape"))
        return listing.hexdigest()

    def _cards(self) -> tuple[list[Card], list[str]]:
        """A card an operator, and a sentence for each that cannot be read."""
        from hub_client.sources.directory import DirectorySource  # noqa: PLC0415

        source = DirectorySource(self.folder)
        cards, unread = [], []
        for name in source.names():
            try:
                # What has no release is a folder whose name is no version's.
                if releases := source.unhashed_versions(name):
                    shown, versions = newest(releases)
                    manifest = source.manifest(name, shown)
                    release = str(name), str(shown.version)
                    told = manifest.to_dict()
                    cards.append(Card.of(release, versions, self.spec, told))
            except (HubError, OSError) as error:
                unread.append(f"{name} is left out: {in_words(error)}")
        return cards, unread


def _file(cache_dir: Path, what: str) -> Path:
    name = hashlib.sha256(what.encode(errors="surrogateescape")).hexdigest()[:32]
    return cache_dir / "search" / f"{name}.tsv"


def _card(entry: IndexEntry) -> Card:
    """The newest version that a user would get, and the numbers of the others."""
    shown, versions = newest(entry.versions)
    release = str(entry.name), str(shown.version)
    return Card.of(release, versions, shown.source, shown.operator)


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more


def _printable(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(filter(str.isprintable, text))
