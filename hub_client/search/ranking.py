"""In which order operators answer to words, and which names are near."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hub_client.search.catalogue import folded, searched
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WORD = re.compile(r"\w+")
_WHOLE: Final = 100
"""The text is the name itself, or its second part."""
_IN_NAME: Final = (8, 6, 4)
_IN_NAMESPACE: Final = (5, 3, 2)
_IN_SUMMARY: Final = (2, 1, 1)
"""What a word is worth there: as a word of it, as the beginning of one, and within one.
In a summary it is never worth more than elsewhere."""
_ALIKE: Final = 0.6
_ALIKE_WORD: Final = 0.8
_TO_GUESS: Final = 3
"""Shorter words are like too many others."""
_LOOKED_AT: Final = 100


class UnreadableWords(HubError, ValueError):
    """Words hold bytes that are no text."""


def check_words(text: str) -> None:
    """Refuse what no name and no summary can hold, and no server can be sent.

    :raises UnreadableWords: showing it.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnreadableWords(
            f"expected words in UTF-8, got {text!r}",
            hint="Type them again, or leave out what is shown as `\\udc..`",
        ) from error


def words_of(text: str) -> list[str]:
    """The words that must all be found.

    >>> words_of("Image_Embedding: timm!")
    ['image', 'embedding', 'timm']
    """
    return _WORD.findall(folded(text).replace("_", " "))


def rank(text: str, lines: Iterable[str]) -> list[str]:
    """Lines in which every word is found: by name first, namespace, then summary.

    Names decide between equals.
    """
    words = [_Word(each) for each in words_of(text)]
    wanted = folded(text.strip()).replace("_", "-")
    scored = ((_score(wanted, words, line), line) for line in lines)
    # A line begins with the name.
    return [
        line for _, line in sorted((-score, line) for score, line in scored if score)
    ]


def nearest(text: str, names: Iterable[str]) -> list[str]:
    """Up to three names that look like the text, the likest first.

    >>> nearest("tim", ["image-embedding/timm", "image-decode/cv2"])
    ['image-embedding/timm']
    """
    from difflib import SequenceMatcher  # noqa: PLC0415  (only on a miss)

    wanted = "-".join(words_of(text))
    pairs = _pairs(wanted)

    def shared(name: str) -> float:
        found = _pairs(name.rpartition("/")[2])
        return len(pairs & found) / len(pairs | found)

    def likeness(name: str) -> float:
        parts = (name.replace("/", "-"), name.rpartition("/")[2])
        return max(SequenceMatcher(None, wanted, part).ratio() for part in parts)

    # Comparing letter by letter is slow, so only what has most pairs of letters in
    # common is compared.
    likely = sorted(set(names), key=lambda name: (-shared(name), name))[:_LOOKED_AT]
    alike = sorted((-likeness(name), name) for name in likely)
    return [name for score, name in alike if -score >= _ALIKE][:3]


def respelled(text: str, lines: Iterable[str]) -> str:
    """The words of a text, each that no line has as the likest one that a line has.

    Empty if there is no like one.

    >>> from hub_client.search.catalogue import Card
    >>> line = Card("image-embedding/timm", "Embed it", "MIT", (), "bundled").to_line()
    >>> respelled("Imgae embed", [line])
    'image embed'
    """
    from difflib import get_close_matches  # noqa: PLC0415  (only on a miss)

    known = " ".join(" ".join(searched(line)) for line in lines)
    words = {each for each in _WORD.findall(known) if len(each) >= _TO_GUESS}
    likest = [
        [each] if each in known else get_close_matches(each, words, 1, _ALIKE_WORD)
        for each in words_of(text)
    ]
    return " ".join(found[0] for found in likest) if all(likest) else ""


class _Word:
    """One of those that must all be found."""

    def __init__(self, text: str) -> None:
        self.text = text
        beginning = rf"(?<![^\W_]){re.escape(text)}"
        self._begins = re.compile(beginning).search
        self._is_whole = re.compile(rf"{beginning}(?![^\W_])").search

    def worth(self, text: str, places: tuple[int, int, int]) -> int:
        """What it is worth in a text; 0 if it is not there."""
        if self.text not in text:
            return 0
        if self._is_whole(text):
            return places[0]
        return places[1] if self._begins(text) else places[2]


def _score(wanted: str, words: Sequence[_Word], line: str) -> int:
    """0 if a word is nowhere; the sum of what each is worth otherwise."""
    name, summary = searched(line)
    namespace, _, second = name.partition("/")
    total = 0
    for word in words:
        worth = (
            max(word.worth(second, _IN_NAME), word.worth(namespace, _IN_NAMESPACE))
            if word.text in name
            else word.worth(summary, _IN_SUMMARY)
        )
        if not worth:
            return 0
        total += worth
    return total + (_WHOLE if wanted in {second, name} else 0)


def _pairs(text: str) -> set[str]:
    padded = f" {text} "
    return {padded[n : n + 2] for n in range(len(padded) - 1)}
