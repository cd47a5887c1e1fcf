"""TOML that others wrote: read in a time that its length bounds."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

_MOST_PARTS: Final = 50
# Of a dotted key; possessive, and begun where a part begins, so that it takes one pass.
_LONG_KEY: Final = re.compile(
    r"(?<![\w-])"
    rf"(?:(?:[\w-]++|\"[^\"\n]*+\"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{_MOST_PARTS}}}"
)


def read_toml(text: str) -> dict[str, Any]:
    """The tables of a document.

    :raises ValueError: if it is none, begins with a byte order mark, is nested too
        deeply, or has a key of so many parts that it would take minutes.
    """
    if text.startswith("\ufeff"):
        raise ValueError("begins with a byte order mark: save it as UTF-8 without BOM")
    if found := _LONG_KEY.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise ValueError(f"more than {_MOST_PARTS} parts in a key (at line {line})")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("too deeply nested") from error
