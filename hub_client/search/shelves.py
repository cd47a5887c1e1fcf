"""Where catalogues come from: a shelf a source, filled again when that has changed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from hub_client.git_url import mirror_path, parse_git_url
from hub_client.index.tip import known_tip, seconds_since_asked
from hub_client.search.catalogue import Card, Catalogue
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


class Shelf(Protocol):
    """What a search can look through."""

    def open(self, *, refresh: bool, told: Told) -> Catalogue:
        """Read the catalogue, filling the shelf first if its source has changed.

        :param refresh: whether to ask a server in any case.
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
        """
        url = parse_git_url(self.spec.removeprefix(INDEX))
        mirror = mirror_path(url, self.cache_dir)
        tip = known_tip(mirror)
        stale = refresh or seconds_since_asked(mirror) > FRESH_SECONDS
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
                unread.append(f"{name} (no summary or no licence)")
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
        file, key = _file(self.cache_dir, f"{self.spec} {self.folder}"), self._state()
        found = None if refresh else Catalogue.load(file, key)
        if found is None:
            found = Catalogue.of(self._cards(told))
            found.save(file, key)
        return found

    def _state(self) -> str:
        """Changes when a manifest does; nothing is read."""
        listing = hashlib.sha256()
        for pattern in (f"*/*/{MANIFEST_FILE}", f"*/*/*/{MANIFEST_FILE}"):
            for file in sorted(self.folder.glob(pattern)):
                status = file.stat()
                line = f"{file} {status.st_size} {status.st_mtime_ns}\n"
                listing.update(line.encode(errors="surrogateescape"))
        return listing.hexdigest()

    def _cards(self, told: Told) -> Iterator[Card]:
        from hub_client.sources.directory import DirectorySource  # noqa: PLC0415

        source = DirectorySource(self.folder)
        for name in source.names():
            try:
                releases = sorted(
                    source.versions(name), key=lambda each: each.version, reverse=True
                )
                newest = source.manifest(name, releases[0])
            except HubError as error:
                told.warn(str(error))
                continue
            yield Card(
                str(name),
                newest.summary,
                newest.license,
                tuple(str(each.version) for each in releases),
                self.spec,
            )


def _file(cache_dir: Path, what: str) -> Path:
    name = hashlib.sha256(what.encode(errors="surrogateescape")).hexdigest()[:32]
    return cache_dir / "search" / f"{name}.tsv"


def _card(entry: IndexEntry) -> Card:
    """The newest version that a user would get, and the numbers of the others."""
    newest_first = entry.versions[::-1]
    offered = [each for each in newest_first if each.yanked is None]
    final = [each for each in offered if not each.version.is_prerelease]
    shown = (final or offered or newest_first)[0]
    return Card(
        str(entry.name),
        shown.operator["summary"],
        shown.operator["license"],
        tuple(str(each.version) for each in offered),
        shown.source,
    )


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more


def _printable(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(filter(str.isprintable, text))
