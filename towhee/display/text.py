"""Values in a few words, safe to print."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from towhee.display.table import NOTHING
from towhee.maybe import Empty
from towhee.outcome import Brief, short_repr

if TYPE_CHECKING:
    from collections.abc import Iterable

_LENGTH: Final = 128
_ITEMS: Final = 4
_DEPTH: Final = 4
"""Lists in lists; one may even be in itself."""
_REPR: Final = Brief(_LENGTH)


def brief(value: object, *, depth: int = 0) -> str:
    """Describe a value of any size.

    >>> brief("a.jpg"), brief(b"12345"), brief([1, "a"])
    ('a.jpg', '5 bytes', '[1, a]')

    Text is as it is, shortened, with what moves a terminal's cursor made visible.
    """
    if isinstance(value, list | tuple) and depth < _DEPTH:
        items = (brief(each, depth=depth + 1) for each in value[:_ITEMS])
        return _list(items, len(value))
    if (size := image_size(value)) is not None:
        return f"image {size[0]}x{size[1]}"
    if _shape(value):
        return _array(value)
    return printable(_words(value))


def printable(text: str) -> str:
    r"""Text of a bounded length that moves no cursor, and stays on its line.

    >>> printable("red: \x1b[31m\n")
    'red: \\x1b[31m\\n'
    """
    cut = text if len(text) <= _LENGTH else f"{text[: _LENGTH - 1]}…"
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in cut
    )


def image_size(value: object) -> tuple[int, int] | None:
    """Width and height of an RGB picture: an array (height, width, 3), or Pillow's."""
    if type(value).__module__.startswith("PIL."):
        size = getattr(value, "size", None)
        return size if isinstance(size, tuple) else None
    shape = _shape(value)
    if isinstance(shape, tuple) and str(getattr(value, "dtype", "")) == "uint8":
        height, width, channels = (*shape, 0, 0, 0)[:3]
        if len(shape) == channels == 3 and height and width:  # noqa: PLR2004  (axes, colours)
            return width, height
    return None


def _shape(value: object) -> Any:  # noqa: ANN401  (of any package)
    with suppress(Exception):  # what is closed, or ragged, may have none to tell
        return getattr(value, "shape", None)
    return None


def _words(value: object) -> str:
    if isinstance(value, Empty):
        return f"failed: {value.error}"
    if isinstance(value, bytes | bytearray | memoryview):
        return short_repr(value)
    plain = isinstance(value, str | int | float) or value is NOTHING
    if plain or type(value).__module__ == "numpy":
        with suppress(Exception):  # Python's on long integers, a value's own
            return str(value)
    return _REPR.repr(value)


def _array(value: Any) -> str:  # noqa: ANN401  (of any package)
    try:
        flat = value.reshape(-1)
        numbers, count = flat[:_ITEMS].tolist(), len(flat)
    except (AttributeError, TypeError, ValueError, RuntimeError):
        return printable(short_repr(value))
    dtype = str(value.dtype).removeprefix("torch.")
    shape = "x".join(map(str, value.shape))
    return f"{_list(map(_number, numbers), count)} {dtype} {shape}"


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else brief(value)


def _list(items: Iterable[str], count: int) -> str:
    rest = ", …" if count > _ITEMS else ""
    return f"[{', '.join(items)}{rest}]"
