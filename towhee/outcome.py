"""What becomes of a row: a value, or a failure that says where and why."""

from __future__ import annotations

import os
import reprlib
from dataclasses import dataclass
from typing import Any

from plugin_spec.errors import HubError


class Brief(reprlib.Repr):
    """A short ``repr`` of every value: some cannot say what they are.

    >>> Brief().repr([10**5000, "a"])
    "[<int>, 'a']"

    :param length: of texts, and of what is no list or the like, in characters.
    """

    def __init__(self, length: int = 30) -> None:
        super().__init__()
        self.maxstring = self.maxother = length

    def repr1(self, x: Any, level: int) -> str:  # noqa: ANN401  (any value)
        """Describe a value, or one in it."""
        try:
            return super().repr1(x, level)
        except Exception:  # noqa: BLE001  (Python's on long integers, a value's own)
            return f"<{type(x).__name__}>"


_REPR = Brief(80)


class OperatorFailed(HubError):
    """An operator, or a function of a chain, failed on a row; the cause is chained.

    ``row`` is the number of the row in the source, counted from 0 before any filter;
    None where there is only one.
    """

    def __init__(
        self, operator: str, value: object, error: BaseException, *, row: int | None
    ) -> None:
        self.operator = operator
        self.row = row
        self.input = value
        try:
            reason = str(error)
        except Exception:  # noqa: BLE001  (its own code: what failed is told even so)
            reason = ""
        if not isinstance(error, HubError) or not reason:
            reason = f"{type(error).__name__}: {reason}".removesuffix(": ")
        place = "" if row is None else f"row {row}, "
        super().__init__(
            f"`{operator}` failed on {place}{short_repr(value)}: {reason}",
            hint=getattr(error, "hint", None),
        )
        self.__cause__ = error

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_failure, (self.operator, self.input, self.__cause__, self.row)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row's value, or the failure that took its place."""

    row: int
    """The row's number in the source, from 0; rows that a filter drops leave gaps."""
    value: object = None
    error: OperatorFailed | None = None

    def unwrap(self) -> object:
        """The value.

        >>> Outcome(0, "a").unwrap()
        'a'

        :raises OperatorFailed: if there is none.
        """
        if self.error is not None:
            raise self.error
        return self.value


def short_repr(value: object) -> str:
    """Describe a value of any size in a few words, for a message.

    >>> short_repr("a.jpg")
    "'a.jpg'"
    >>> short_repr(b"0123456789" * 100)
    '1000 bytes'
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    if isinstance(value, os.PathLike):
        return reprlib.repr(os.fspath(value))
    try:
        shape = getattr(value, "shape", None)
        if isinstance(shape, tuple):
            dtype = getattr(value, "dtype", "object")
            return f"{type(value).__name__} of shape {tuple(shape)}, {dtype}"
    except Exception:  # noqa: BLE001  (a value's own code)
        return f"<{type(value).__name__}>"
    return _REPR.repr(value)


def _rebuild_failure(
    operator: str, value: object, error: BaseException, row: int | None
) -> OperatorFailed:
    return OperatorFailed(operator, value, error, row=row)
