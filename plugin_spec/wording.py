"""Problems put into words: what was expected, what was found, what to write."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jsonschema.exceptions import ValidationError

    from plugin_spec.strict_yaml import Path, Scalar

_MAX_SHOWN: Final = 60
_MAX_MESSAGE: Final = 400
_TYPES: Final = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "a mapping",
    "string": "a quoted string",
}


def sentence(path: Path, message: str, line: int | None = None) -> str:
    """Put a problem and its place into one line.

    >>> sentence(("requires", "packages", 1), "missing", 7)
    'line 7: requires.packages[1]: missing'
    """
    place = f"line {line}" if line else ""
    return cut(": ".join(filter(None, (place, dotted(path), message))), _MAX_MESSAGE)


def dotted(path: Path) -> str:
    """Write a path as people do.

    >>> dotted(("weights", 0, "for", "model name"))
    "weights[0].for['model name']"
    """
    parts = (
        f".{part}"
        if isinstance(part, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,60}", part)
        else f"[{cut(repr(part))}]"
        for part in path
    )
    return "".join(parts).removeprefix(".")


def describe(error: ValidationError, scalar: Scalar | None = None) -> str:
    """Say what a value should be and is; ``scalar`` tells how it was written."""
    found = cut(str(scalar)) if scalar else shown(error.instance)
    rule: Any = error.validator
    instance: Any = error.instance
    match rule:
        case "format":
            return str(error.cause)
        case "type":
            hint = ""
            if scalar and scalar.text and types_of(error)[0] == "string":
                hint = f": write {cut(json.dumps(scalar.text))}"
            return f"expected {_expected(error)}, got {found}{hint}"
        case "maxLength":
            return f"expected {_expected(error)}, got {len(instance):,} characters"
    return f"expected {_expected(error)}, got {found}"


def types_of(error: ValidationError) -> list[str]:
    """Give the JSON types that a failed ``type`` would have taken."""
    types: Any = error.validator_value
    return [types] if isinstance(types, str) else types


def shown(value: object) -> str:
    """Show a scalar; say of what kind a collection is.

    >>> shown("1.x"), shown({}), shown(None)
    ("'1.x'", 'a mapping', 'nothing')
    """
    match value:
        case None:
            return "nothing"
        case dict():
            return "a mapping"
        case list():
            return "a list" if value else "an empty list"
        case bool():
            return f"the boolean {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
    return cut(repr(value))


def cut(text: str, length: int = _MAX_SHOWN) -> str:
    """Shorten what a hostile author made long."""
    return text if len(text) <= length else f"{text[:length]}…"


def enumerated(words: Sequence[str], word: str = "and") -> str:
    """Words as a sentence lists them.

    >>> enumerated(["a"]), enumerated(["a", "b"]), enumerated(["a", "b", "c"], "or")
    ('a', 'a and b', 'a, b or c')
    """
    *first, last = words or [""]
    return f"{', '.join(first)} {word} {last}" if first else last


def _expected(error: ValidationError) -> str:
    schema: Any = error.schema
    phrase: str | None = schema.get("expected")
    rule: Any = error.validator
    value: Any = error.validator_value
    match rule:
        case "type":
            return " or ".join(_TYPES[each] for each in types_of(error))
        case _ if phrase:
            return phrase
        case "maxLength":
            return f"at most {value} characters"
        case "enum":
            return "one of " + ", ".join(map(shown, value[:5]))
    return f"{rule} {value}"
