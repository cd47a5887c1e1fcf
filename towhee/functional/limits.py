"""What numbers a method takes, said at once and in one form."""

from __future__ import annotations

from operator import index


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
    return number


def fraction(name: str, value: float) -> float:
    """A share of the whole.

    >>> fraction("ratio", 1.5)
    Traceback (most recent call last):
    ...
    ValueError: ratio is 1.5, and has to be from 0 to 1

    :raises ValueError: for anything else.
    """
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value!r}, and has to be from 0 to 1")
    return value
