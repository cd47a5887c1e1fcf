"""What becomes of a row: a value, or a failure that says where and why."""

from __future__ import annotations

import os
import reprlib
from dataclasses import dataclass

from plugin_spec.errors import HubError

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80


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
        reason = str(error)
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
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        dtype = getattr(value, "dtype", "object")
        return f"{type(value).__name__} of shape {tuple(shape)}, {dtype}"
    return _REPR.repr(value)


def _rebuild_failure(
    operator: str, value: object, error: BaseException, row: int | None
) -> OperatorFailed:
    return OperatorFailed(operator, value, error, row=row)
