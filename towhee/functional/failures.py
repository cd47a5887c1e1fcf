"""Rows that may fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from towhee.functional.core import Core
from towhee.functional.limits import function
from towhee.pipelines import FunctionCall

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from towhee.maybe import Empty


class Failures(Core):
    """Keep rows that fail, and settle what becomes of them."""

    __slots__ = ()

    def exception_safe(self) -> Self:
        """Keep rows that fail from here on: each is ``Some`` value, or ``Empty``.

        Without it, the first failure stops the run.

        >>> DataCollection(["1", "x"]).exception_safe().map(int).to_list()
        [Some(1), Empty("`map(int)` failed on row 1, 'x': ValueError: invalid ...")]
        """
        return self if self.is_safe else self.then(FunctionCall("safe", bool))

    safe = exception_safe

    def drop_empty(self, callback: Callable[[Empty], object] | None = None) -> Self:
        """Leave out rows that failed, and go on with the values of the others.

        >>> rows = DataCollection(["1", "x"]).exception_safe().map(int)
        >>> rows.drop_empty(lambda empty: print(empty.row, empty.error.input)).to_list()
        1 x
        [1]

        :param callback: is told of each; its ``error`` names operator, row and input.
        """
        if callback is not None:
            function("drop_empty", callback)
        return self.then(FunctionCall("drop_empty", callback or _ignore))

    def fill_empty(self, default: Any = None) -> Self:  # noqa: ANN401  (any row)
        """Put ``default`` in the place of rows that failed.

        >>> DataCollection(["1", "x"]).safe().map(int).fill_empty(0).to_list()
        [1, 0]
        """
        return self.then(FunctionCall("fill_empty", _Default(default)))


class _Default:
    """Gives one value whatever failed; unlike a lambda, other processes can read it."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __call__(self, _empty: Empty) -> object:
        return self._value


def _ignore(_empty: Empty) -> None:
    """Hear of a failure, and do nothing."""
