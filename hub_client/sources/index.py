"""Operators that an index lists: it answers, and their own sources give the files."""

from __future__ import annotations

import json
from collections import deque
from contextlib import suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

from hub_client.git_commands import GitFailed, TooLong
from hub_client.git_url import parse_git_url
from hub_client.index.entry import IndexEntry, InvalidEntry, entry_path
from hub_client.index.mirror import IndexMirror
from hub_client.side_by_side import Unneeded, side_by_side
from hub_client.sources import GIT, INDEX, MANIFEST_FILE
from hub_client.sources.git import TagMoved
from hub_client.sources.silent_hosts import SilentHosts
from hub_client.steps import note
from hub_client.store import CacheUnwritable
from plugin_spec.errors import HubError
from plugin_spec.manifest import Manifest
from plugin_spec.requirement import Requirement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from hub_client.candidate import Fetchable, Release
    from hub_client.index.entry import IndexedVersion
    from hub_client.sources import Source
    from plugin_spec.names import OperatorName

READ_LIMIT: Final = 256 << 20
"""Bytes of entries that one command reads: nobody needs to trust an index."""
_KNOWN: Final = "`--offline` takes what was fetched last"
_LOCAL: Final = f"{GIT}file:"
_AT_ONCE: Final = 8


class IndexUnreachable(HubError):
    """An index does not answer, and cannot be read."""


class IndexDisagrees(HubError):
    """An index says of a version what its source, or its files, do not."""


class IndexSource:
    """The index at one URL. It is fetched once, however many operators are asked for.

    Nobody needs to trust an index: an operator's own source is what runs, and its files
    must have the digest, and the manifest, that the index says.
    """

    def __init__(self, url: str, *, cache_dir: Path, offline: bool = False) -> None:
        self.mirror = IndexMirror(parse_git_url(url), cache_dir)
        self._cache_dir = cache_dir
        self._offline = offline
        self._texts: dict[OperatorName, bytes] = {}
        self._read_bytes = 0
        self._entries: dict[OperatorName, IndexEntry] = {}

    @property
    def spec(self) -> str:
        """The index as configuration writes it."""
        return f"{INDEX}{self.mirror.url}"

    @cached_property
    def commit(self) -> str:
        """The newest commit; offline, the one that was fetched last.

        :raises IndexUnreachable: if it cannot be had.
        :raises CacheUnwritable: if it is new, and there is no room to keep it.
        """
        if self._offline:
            if known := self.mirror.known_tip():
                return known
            raise IndexUnreachable(
                f"Offline, and `{self.spec}` was not fetched before",
                hint="Run again without `--offline`, or with HUB_OFFLINE=0",
            )
        try:
            return self.mirror.fetch_tip()
        except GitFailed as error:
            raise IndexUnreachable(
                f"Cannot fetch `{self.spec}`: {error.reason}",
                hint="Check the address, your network and that you may read it; "
                f"{_KNOWN}",
            ) from error
        except CacheUnwritable as error:
            known = self.mirror.known_tip()
            raise CacheUnwritable(
                error.folder, error.error, instead=_KNOWN if known else None
            ) from error

    def names(self) -> tuple[OperatorName, ...]:
        """Every operator of the index, sorted."""
        return tuple(sorted(self._blobs))

    def versions(self, name: OperatorName) -> tuple[Release, ...]:
        """Every version that is indexed.

        :raises InvalidEntry: if the operator's entry is not one.
        """
        entry = self._entry(name)
        return tuple(each.release for each in entry.versions) if entry else ()

    def manifest(self, name: OperatorName, release: Release) -> Manifest:
        """What the index says of the version's manifest."""
        indexed = self._indexed(name, release)
        where = f"{self.spec}, {entry_path(name)}, {release.version}"
        return indexed.manifest(name, where=where)

    def fetch(self, wanted: Fetchable, into: Path) -> None:
        """Write the files, from the operator's own source."""
        self._own_source(wanted).fetch(wanted, into)

    def confirm(self, wanted: Fetchable, tree: Path) -> None:
        """Refuse files whose manifest is not the one that was answered with.

        What is installed for an operator follows from its manifest, and an index may
        not add to it.

        :raises IndexDisagrees: naming the operator.
        """
        said = self.manifest(wanted.name, wanted.release)
        file = tree / MANIFEST_FILE
        if Manifest.from_yaml(file.read_bytes(), source=str(file)) != said:
            raise IndexDisagrees(
                f"`{self.spec}` says of {wanted.name} {wanted.release.version} "
                f"what its `{MANIFEST_FILE}` does not",
                hint="Tell who keeps the index; "
                f"`--source {wanted.source}` goes without it",
            )

    def holds(self, name: OperatorName, revision: str, source: str) -> bool:
        """Whether a version of ``name`` is this one, in the index as fetched last."""
        known = IndexSource(
            str(self.mirror.url), cache_dir=self._cache_dir, offline=True
        )
        try:
            releases = known.versions(name)
        except HubError:
            return False
        return any(
            (each.revision, each.source) == (revision, source) for each in releases
        )

    @cached_property
    def _blobs(self) -> dict[OperatorName, str]:
        try:
            return self.mirror.blobs(self.commit)
        except TooLong as error:
            raise IndexUnreachable(
                f"Too many are the operators of `{self.spec}`: {error.reason}",
                hint="Ask who keeps the index",
            ) from error

    def _entry(self, name: OperatorName) -> IndexEntry | None:
        if name not in self._blobs:
            return None
        if name not in self._texts:
            self._read(name)
        if name not in self._entries:
            self._entries[name] = self._parsed(name, self._texts[name])
        return self._entries[name]

    def _read(self, name: OperatorName) -> None:
        """Read an entry, and those that it names: git starts once for all of them.

        :raises IndexUnreachable: if all that is asked for is longer than anybody reads.
        """
        queue = deque([name])

        def wanted() -> Iterator[tuple[OperatorName, str]]:
            while queue:
                each = queue.popleft()
                if each in self._blobs and each not in self._texts:
                    yield each, self._blobs[each]

        try:
            for each, text in self.mirror.entries_of(wanted()):
                self._texts[each] = text
                self._read_bytes += len(text)
                if self._read_bytes > READ_LIMIT:
                    reason = f"they have more than {READ_LIMIT:,} bytes"
                    raise TooLong("cat-file", reason)  # noqa: TRY301  (as of one)
                queue.extend(_needed(text))
        except TooLong as error:
            raise IndexUnreachable(
                f"Too long are the entries of `{self.spec}`: {error.reason}",
                hint="Ask who keeps the index",
            ) from error

    def _parsed(self, name: OperatorName, text: bytes) -> IndexEntry:
        where = f"{self.spec}, {entry_path(name)}"
        entry = IndexEntry.parse(name, text, where=where)
        for each in entry.versions:
            # What one machine calls by a path, another may call something else.
            if each.source.startswith(_LOCAL) and self.mirror.url.scheme != "file":
                raise InvalidEntry(where, [f"`{each.source}` is a local path"])
        return entry

    def _indexed(self, name: OperatorName, release: Release) -> IndexedVersion:
        entry = self._entry(name)
        found = entry and entry.find(release.version)
        if not found or found.commit != release.revision:
            raise IndexDisagrees(
                f"`{self.spec}` does not list {name} {release.version} "
                f"at {release.revision}"
            )
        return found

    def _own_source(self, wanted: Fetchable) -> Source:
        from hub_client.sources.router import open_source  # noqa: PLC0415  (it opens us)

        spec = wanted.release.source or wanted.source
        return open_source(spec, cache_dir=self._cache_dir, offline=self._offline)


def _needed(text: bytes) -> Iterator[OperatorName]:
    """What an entry's newest version seems to need; the entry was not checked yet."""
    with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
        newest = json.loads(text.removesuffix(b"\n").rpartition(b"\n")[2])
        said = newest["operator"]
        for each in said.get("requires", {}).get("operators", ()):
            yield Requirement.parse(each).name
        for step in said.get("steps", ()):
            yield Requirement.parse(step["operator"]).name


def check_indexed(
    indexed: Sequence[Fetchable], open_own: Callable[[str], Source]
) -> list[str]:
    """Hold what an index said of versions against their own sources, a few at once.

    Who published a version may want to give everyone something else since. A source
    that does not answer has no say: the indexed files are what will be installed. Nor
    is its host asked again, if it took long.

    :param open_own: gives an operator's own source by its spec.
    :returns: a sentence for each that was withdrawn meanwhile.
    :raises TagMoved: for one whose tag names another commit now, with both.
    """
    sources = {each.source: open_own(each.source) for each in indexed}
    withdrawn: list[str] = []
    hosts = SilentHosts()

    def check(wanted: Fetchable) -> None:
        question = partial(sources[wanted.source].versions, wanted.name)
        try:
            releases = hosts.ask(wanted.source, question)
        except Unneeded:
            raise
        except HubError as error:
            said = " ".join(str(error).split())
            note(f"{wanted.name} is taken as it is indexed:", said)
            return
        withdrawn.extend(_said_since(wanted, releases))

    side_by_side(check, indexed, _AT_ONCE)
    return sorted(withdrawn)


def _said_since(wanted: Fetchable, releases: Iterable[Release]) -> Iterator[str]:
    release = wanted.release
    what = f"{wanted.name} {release.version}"
    found = next((each for each in releases if each.version == release.version), None)
    if found is None:
        yield f"{what} is gone from `{wanted.source}`, and its index still lists it"
    elif found.revision != release.revision:
        raise TagMoved(
            f"`{found.ref}` of {wanted.name} was moved at `{wanted.source}`\n"
            f"  indexed commit {release.revision}\n"
            f"  found   commit {found.revision}",
            hint="Ask its publisher why: a version that is published stays",
        )
    elif found.yanked is not None and release.yanked is None:
        yield (
            f"{what} was yanked at `{wanted.source}`, "
            f"which its index does not say yet: {found.yanked}"
        )
