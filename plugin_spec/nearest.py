"""What someone who mistyped a name probably meant."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST: Final = 200
"""Comparing takes the square of the length, and nobody mistypes a longer name."""


def nearest(text: str, known: Iterable[str]) -> tuple[str, ...]:
    """Give at most three of the known names, the nearest first.

    >>> nearest("image-embeding", ["image-decode", "image-embedding"])
    ('image-embedding',)
    """
    if len(text) > _LONGEST:
        return ()
    return tuple(difflib.get_close_matches(text, sorted(known)))


def did_you_mean(text: str, known: Iterable[str]) -> str:
    """Give the end of a message about an unknown name; empty if nothing is near.

    >>> did_you_mean("nmae", ["name", "version"])
    ': did you mean `name`?'
    """
    names = nearest(text, known)
    return f": did you mean `{names[0]}`?" if names else ""
