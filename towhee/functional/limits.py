"""What a method takes, said at once and in one form."""

from __future__ import annotations

import sys
from math import isfinite
from operator import index
from typing import TYPE_CHECKING

from towhee.outcome import short_repr

if TYPE_CHECKING:
    from collections.abc import Callable


def function(method: str, value: object) -> None:
    """Check that there is something to call.

    >>> function("map", None)
    Traceback (most recent call last):
    ...
    TypeError: `map` takes a function, not None

    :raises TypeError: for anything else.
    """
    if not callable(value):
        raise TypeError(f"`{method}` takes a function, not {short_repr(value)}")


def whole(name: str, value: object, *, least: int = 1) -> int:
    """A whole number.

    >>> whole("size", 0)
    Traceback (most recent call last):
    ...
    ValueError: size is 0, and has to be a whole number, 1 or more

    :raises ValueError: for anything else.
    """
    try:
        number = index(value)  # type: ignore[arg-type]  # which is what it finds out
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        raise ValueError(
            f"{name} is {value!r}, and has to be a whole number, {least} or more"
        )
    # No collection has more rows, and `islice` takes no more.
    return min(number, sys.maxsize)


def seed(value: object) -> int | None:
    """A whole number, of whatever type, or None.

    >>> seed("x")
    Traceback (most recent call last):
    ...
    ValueError: seed is 'x', and has to be a whole number, or None

    :raises ValueError: for anything else.
    """
    try:
        return None if value is None else index(value)  # type: ignore[arg-type]  # which is what it finds out
    except TypeError:
        raise ValueError(
            f"seed is {short_repr(value)}, and has to be a whole number, or None"
        ) from None


def positive(name: str, value: float) -> float:
    """A number of seconds, or how many a second.

    >>> positive("seconds", 0)
    Traceback (most recent call last):
    ...
    ValueError: seconds is 0, and has to be a number above 0

    :raises ValueError: for anything else.
    """
    if not _holds(lambda: isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value!r}, and has to be a number above 0")
    return value


def fraction(name: str, value: float) -> float:
    """A share of the whole.

    >>> fraction("ratio", 1.5)
    Traceback (most recent call last):
    ...
    ValueError: ratio is 1.5, and has to be from 0 to 1

    :raises ValueError: for anything else.
    """
    if not _holds(lambda: 0 <= value <= 1):
        raise ValueError(f"{name} is {value!r}, and has to be from 0 to 1")
    return value


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except (OverflowError, TypeError, ValueError):
        return False
