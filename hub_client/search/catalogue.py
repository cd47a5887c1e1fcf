"""What a search looks through: a card an operator, kept as lines of one file.

A warm search reads that file and nothing else, so this imports next to nothing.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_FORMAT: Final = "catalogue 3"
"""How the first line begins; the digest of the others follows, and a key."""


class Card(NamedTuple):
    """What a search tells of an operator."""

    name: str
    summary: str
    license: str
    versions: tuple[str, ...]
    """Newest first, without those that were withdrawn."""
    source: str

    def to_dict(self) -> dict[str, Any]:
        """The card as JSON values."""
        return {
            "name": self.name,
            "summary": self.summary,
            "license": self.license,
            "versions": list(self.versions),
            "source": self.source,
        }

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Read what ``to_line`` wrote. A search does so with what it shows alone."""
        _, _, name, summary, license_, versions, source = line.split("\t")
        return cls(name, summary, license_, tuple(versions.split()), source)

    def to_line(self, stamp: str = "") -> str:
        """The card as a line, which begins with what is searched.

        What a terminal would obey is left out.

        :param stamp: what it was made from.
        """
        summary, license_ = _printable(self.summary), _printable(self.license)
        searched = f"{self.name} {summary}".casefold()
        versions = " ".join(self.versions)
        values = (searched, stamp, self.name, summary, license_, versions, self.source)
        return "\t".join(values)


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
        """Lines in which every word is, wherever; words are casefolded.

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

    def names(self) -> tuple[str, ...]:
        """The name of every card."""
        return tuple(name for name, _ in self.stamped())

    def stamped(self) -> dict[tuple[str, str], str]:
        """Lines by what they were made from: a name and a stamp."""
        lines = self.text.split("\n")[:-1]
        parts = ((line.split("\t", 3), line) for line in lines)
        return {(name, stamp): line for (_, stamp, name, _), line in parts}


def searched(line: str) -> tuple[str, str]:
    """The name and the summary of a line, in lower case.

    >>> searched(Card("a/b", "Embed Texts", "MIT", ("1.0",), "bundled").to_line())
    ('a/b', 'embed texts')
    """
    name, _, summary = line[: line.index("\t")].partition(" ")
    return name, summary


def _head(key: str, lines: bytes | memoryview) -> bytes:
    return f"{_FORMAT} {hashlib.sha256(lines).hexdigest()} {key}".encode()


def _printable(text: str) -> str:
    return "".join(filter(str.isprintable, text))
