"""What a search looks through: a card an operator, kept as lines of one file.

A warm search reads that file and nothing else, so this imports next to nothing.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_FORMAT: Final = "catalogue 2"
"""How the first line begins; the digest of the others follows, and a key."""


# A search reads thousands: what is made of a line has to be made fast.
_read = json.JSONDecoder().raw_decode


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
        """Read what ``to_line`` wrote."""
        (_, name, summary, license_, versions, source), _ = _read(line)
        return cls(name, summary, license_, tuple(versions), source)

    def to_line(self, stamp: str) -> str:
        """The card as a line; ``stamp`` says what it was made from."""
        values = (stamp, self.name, self.summary, self.license)
        return json.dumps([*values, self.versions, self.source], ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Cards of one source, each read only if it may match."""

    lines: Sequence[str] = ()

    @classmethod
    def of(cls, cards: Iterable[Card]) -> Self:
        """A catalogue of these cards."""
        return cls([card.to_line("") for card in cards])

    @classmethod
    def load(cls, file: Path, key: str | None = None) -> Self | None:
        """Read a file that was saved under this key, or any.

        None if there is none, or it is not as it was saved.
        """
        try:
            head, _, lines = file.read_bytes().partition(b"\n")
        except OSError:
            return None
        expected = _head(key or "", lines)
        right = head.startswith(expected) if key is None else head == expected
        return cls(lines.decode().split("\n")[:-1]) if right else None

    def save(self, file: Path, key: str) -> None:
        """Keep the catalogue, for ``load``; where that fails, it is made again."""
        from hub_client.atomic_file import write_atomically  # noqa: PLC0415  (seldom)

        lines = "".join(f"{line}\n" for line in self.lines).encode()
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, _head(key, lines) + b"\n" + lines)

    def mentioning(self, words: Sequence[str]) -> Iterator[Card]:
        """Cards in whose text every word is, wherever."""
        for line in self.lines:
            folded = line.casefold()
            for word in words:
                if word not in folded:
                    break
            else:
                yield Card.from_line(line)

    def names(self) -> tuple[str, ...]:
        """The name of every card."""
        return tuple(line.split('"', 4)[3] for line in self.lines)

    def stamped(self) -> dict[tuple[str, str], str]:
        """Lines by what they were made from: a name and a stamp."""
        parts = ((line.split('"', 4), line) for line in self.lines)
        return {(part[3], part[1]): line for part, line in parts}


def _head(key: str, lines: bytes) -> bytes:
    return f"{_FORMAT} {hashlib.sha256(lines).hexdigest()} {key}".encode()
