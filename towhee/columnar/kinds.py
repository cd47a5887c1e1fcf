"""Kinds of values that Arrow would write as one another."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from numbers import Number
from typing import TYPE_CHECKING, Final

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_KINDS: Final = (bool, Number, str, bytes, bytearray, datetime, date, timedelta)
"""The first one that a type is of is its kind."""


class Masked(HubError, TypeError):
    """Arrays have masks, for which Arrow has no place."""

    def __init__(self) -> None:
        super().__init__(
            "it has masked arrays, whose masks would be lost",
            hint="Fill them first, as in `array.filled(0)`",
        )


def check_one_kind(values: Sequence[object]) -> None:
    """Let no value be changed for what its column holds besides.

    >>> check_one_kind([1, 2.5, None])
    >>> check_one_kind(["a", b"b"])
    Traceback (most recent call last):
    ...
    TypeError: it has values of the types bytes and str

    :raises TypeError: for two kinds, as dates and times of a day, and for times
        with a zone among those without.
    :raises Masked: for arrays with a mask.
    """
    import numpy as np

    types = set(map(type, values))
    if any(issubclass(each, np.ma.MaskedArray) for each in types):
        raise Masked
    kinds = {_kind(each) for each in types} - {None}
    if len(kinds) > 1:
        names = " and ".join(sorted(each.__name__ for each in types if _kind(each)))
        raise TypeError(f"it has values of the types {names}")
    if kinds == {datetime} and len(set(_have_zones(values))) > 1:
        raise TypeError("it has times with a zone, and without one")


def _have_zones(values: Iterable[object]) -> Iterable[bool]:
    return (value.tzinfo is not None for value in values if isinstance(value, datetime))


def _kind(type_: type) -> type | None:
    if type_.__name__ in {"bool", "bool_"}:  # numpy's has either name, and is no number
        return bool
    return next((kind for kind in _KINDS if issubclass(type_, kind)), None)
