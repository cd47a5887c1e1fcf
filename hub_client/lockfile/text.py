"""Writing ``hub.lock``: the few forms of TOML that it has, one line an item."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def format_table(table: Mapping[str, Any]) -> str:
    """A table as TOML: one line a key, and a list of tables with one line an item.

    >>> print(format_table({"name": "a", "hashes": ["x"], "weights": [{"size": 1}]}))
    name = "a"
    hashes = ["x"]
    weights = [
        { size = 1 },
    ]
    """
    return "\n".join(f"{key} = {_lines(value)}" for key, value in table.items())


def format_lines(items: Sequence[object]) -> str:
    """A list with one line an item, so that two branches can each add one.

    >>> print(format_lines(["a", "b"]))
    [
        "a",
        "b",
    ]
    """
    lines = (f"    {format_value(each)},\n" for each in items)
    return f"[\n{''.join(lines)}]" if items else "[]"


def _lines(value: object) -> str:
    """A list of tables on a line an item, and anything else on one line."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return format_lines(value)
    return format_value(value)


def format_value(value: object) -> str:
    """A value as TOML writes it on one line.

    >>> format_value({"for": {"model name": "a"}, "sizes": [1, 2], "ok": True})
    '{ for = { "model name" = "a" }, sizes = [1, 2], ok = true }'
    """
    if isinstance(value, dict):
        pairs = (f"{_key(key)} = {format_value(each)}" for key, each in value.items())
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(format_value, value))}]"
    # JSON's strings, numbers and booleans are TOML's, but for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else format_value(key)
