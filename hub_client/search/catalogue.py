"""What a search looks through: a card an operator, kept as lines of one file.

A warm search reads that file and nothing else, so this imports next to nothing.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Protocol, TypeVar

    from packaging.version import Version

    class Listed(Protocol):
        """A version as its source lists it."""

        @property
        def version(self) -> Version:
            """Its number."""

        @property
        def yanked(self) -> str | None:
            """Why it was withdrawn; None if it was not."""

    L = TypeVar("L", bound=Listed)

Types = tuple[tuple[str, ...], ...]
"""What ports carry: of each its type, or the alternatives."""

_LONGEST: Final = 200
"""Characters of a summary and of a licence: an index may say more than a manifest."""
_MOST_PORTS: Final = 20
_FORMAT: Final = "catalogue 5"
"""How the first line begins; the digest of the others follows, and a key."""


class Card(NamedTuple):
    """What a search tells of an operator."""

    name: str
    summary: str
    license: str
    versions: tuple[str, ...]
    """Newest first, without those that were withdrawn."""
    source: str
    version: str = ""
    """The one that summary and license are of; withdrawn if it is not in ``versions``.
    Empty if nothing of the operator was read."""
    inputs: Types = ()
    outputs: Types = ()

    @classmethod
    def of(
        cls,
        release: tuple[str, str],
        versions: tuple[str, ...],
        source: str,
        manifest: Mapping[str, Any],
    ) -> Self:
        """The card of an operator, by the manifest of the release that it tells of.

        :param release: the name and the version.
        :param manifest: JSON values, not validated.
        :raises KeyError: if it lacks what a card tells.
        :raises TypeError: if that is of another type.
        """
        name, version = release
        said = (manifest["summary"], manifest["license"])
        summary, license_ = (text[:_LONGEST] for text in said)
        inputs, outputs = map(_types, (manifest["inputs"], manifest["outputs"]))
        return cls(name, summary, license_, versions, source, version, inputs, outputs)

    def to_dict(self) -> dict[str, Any]:
        """The card as JSON values."""
        return {
            "name": self.name,
            "summary": self.summary,
            "license": self.license,
            "versions": list(self.versions),
            "source": self.source,
            "inputs": [list(each) for each in self.inputs],
            "outputs": [list(each) for each in self.outputs],
        }

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Read what ``to_line`` wrote. A search does so with what it shows alone."""
        _, _, name, summary, license_, versions, source, *more = line.split("\t")
        version, *ports = more
        inputs, outputs = (tuple(tuple(p.split("|")) for p in x.split()) for x in ports)
        offered = tuple(versions.split())
        return cls(name, summary, license_, offered, source, version, inputs, outputs)

    def to_line(self, stamp: str = "") -> str:
        """The card as a line, which begins with what is searched.

        What a terminal would obey is left out.

        :param stamp: what it was made from.
        """
        summary, license_ = _printable(self.summary), _printable(self.license)
        searched = folded(f"{self.name} {summary}")
        versions, source = " ".join(self.versions), self.source
        ports = (" ".join(map("|".join, each)) for each in (self.inputs, self.outputs))
        values = (summary, license_, versions, source, self.version, *ports)
        return "\t".join((searched, stamp, self.name, *values))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Cards of one source, as lines: most are never made cards of."""

    text: str = ""
    """The lines, each with its end: whole, for a search looks at few of them."""

    @classmethod
    def of(cls, cards: Iterable[Card]) -> Self:
        """A catalogue of these cards."""
        return cls.of_lines(card.to_line() for card in cards)

    @classmethod
    def of_lines(cls, lines: Iterable[str]) -> Self:
        """A catalogue of cards as lines."""
        return cls("".join(f"{line}\n" for line in lines))

    @classmethod
    def load(cls, file: Path, key: str | None = None) -> Self | None:
        """Read a file that was saved under this key, or any.

        None if there is none, or it is not as it was saved.
        """
        try:
            content = file.read_bytes()
        except OSError:
            return None
        head = content[: content.find(b"\n")]
        lines = memoryview(content)[len(head) + 1 :]  # not a copy: it may be large
        expected = _head(key or "", lines)
        right = head.startswith(expected) if key is None else head == expected
        return cls(str(lines, "utf-8")) if right else None

    def save(self, file: Path, key: str) -> None:
        """Keep the catalogue, for ``load``; where that fails, it is made again."""
        from hub_client.atomic_file import write_atomically  # noqa: PLC0415  (seldom)

        lines = self.text.encode()
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, _head(key, lines) + b"\n" + lines)

    def mentioning(self, words: Sequence[str]) -> Iterator[str]:
        """Lines in which every word is, wherever; words are as ``folded`` gives them.

        They may be thousands, so a card is made of none here.
        """
        text, longest = self.text, max(words, key=len)
        end = 0
        while (found := text.find(longest, end)) >= 0:
            begin, end = text.rfind("\n", end, found) + 1, text.index("\n", found)
            line = text[begin:end]
            for word in words:
                if word not in line:
                    break
            else:
                yield line

    def stamped(self) -> dict[tuple[str, str], str]:
        """Lines by what they were made from: a name and a stamp."""
        lines = self.text.split("\n")[:-1]
        parts = ((line.split("\t", 3), line) for line in lines)
        return {(name, stamp): line for (_, stamp, name, _), line in parts}


def folded(text: str) -> str:
    r"""Text as it is compared: without case, accents and other ways to write a letter.

    >>> folded("Cafe\u0301") == folded("caf\xe9") == "cafe"
    True
    >>> folded("\u0130stanbul"), folded("Straße"), folded("が")
    ('istanbul', 'strasse', 'が')
    """
    if text.isascii():
        return text.lower()
    from unicodedata import normalize  # noqa: PLC0415  (seldom)

    # The marks of Latin, Greek and Cyrillic alone: elsewhere they make other letters.
    apart = (c for c in normalize("NFKD", text) if not "\u0300" <= c <= "\u036f")
    return normalize("NFKC", "".join(apart).casefold())


def newest(releases: Iterable[L]) -> tuple[L, tuple[str, ...]]:
    """The release that a card tells of, and what is not withdrawn, newest first.

    As an install chooses: a pre-release only where there is no other; a withdrawn one
    where all are.

    :param releases: one at least.
    """
    newest_first = sorted(releases, key=lambda each: each.version, reverse=True)
    offered = [each for each in newest_first if each.yanked is None]
    final = [each for each in offered if not each.version.is_prerelease]
    shown = (final or offered or newest_first)[0]
    return shown, tuple(str(each.version) for each in offered)


def searched(line: str) -> tuple[str, str]:
    """The name and the summary of a line, as ``folded`` gives them.

    >>> searched(Card("a/b", "Embed Texts", "MIT", ("1.0",), "bundled").to_line())
    ('a/b', 'embed texts')
    """
    name, _, summary = line[: line.index("\t")].partition(" ")
    return name, summary


def _types(ports: Sequence[Mapping[str, Any]]) -> Types:
    """What each port carries, of as many as are shown; what is no type is left out.

    >>> _types([{"type": ["path", "image"]}, {"type": ["a b", "url"]}, {"type": "any"}])
    (('path', 'image'), ('url',), ('any',))
    >>> len(_types([{"type": "any"}] * 100)) == _MOST_PORTS
    True
    """
    from plugin_spec.port import PORT_TYPES  # noqa: PLC0415  (seldom)

    found = (port["type"] for port in ports[:_MOST_PORTS])
    lists = ([each] if isinstance(each, str) else each for each in found)
    return tuple(
        tuple(dict.fromkeys(each for each in types if each in PORT_TYPES))
        for types in lists
    )


def _head(key: str, lines: bytes | memoryview) -> bytes:
    return f"{_FORMAT} {hashlib.sha256(lines).hexdigest()} {key}".encode()


def _printable(text: str) -> str:
    return "".join(filter(str.isprintable, text))
