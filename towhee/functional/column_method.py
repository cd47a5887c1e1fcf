"""Methods that also take columns in brackets: ``rows.map['a', 'b'](len)``."""

from __future__ import annotations

from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, cast

from towhee.columns import Columns

if TYPE_CHECKING:
    from collections.abc import Callable

Owner = TypeVar("Owner")
Given = ParamSpec("Given")
Result = TypeVar("Result")


class Indexed(Generic[Given, Result]):
    """A method of one collection, to call, or to give columns first."""

    def __init__(self, method: Callable[..., Result], *, outputs: bool) -> None:
        self._method = method
        self._outputs = outputs

    def __getitem__(self, index: object) -> Callable[Given, Result]:
        columns = Columns.parse(index, outputs=self._outputs)
        return partial(self._method, columns=columns)

    def __call__(self, *args: Given.args, **kwargs: Given.kwargs) -> Result:
        """Call the method without columns."""
        return self._method(*args, **kwargs)


class ColumnMethod(Generic[Owner, Given, Result]):
    """What ``takes_columns`` makes of a method."""

    def __init__(
        self, function: Callable[Concatenate[Owner, Given], Result], *, outputs: bool
    ) -> None:
        self._function = function
        self._outputs = outputs
        update_wrapper(cast("Any", self), function)

    def __get__(self, instance: object, owner: type) -> Indexed[Given, Result]:
        function: Callable[..., Result] = self._function
        if instance is None:
            return Indexed(function, outputs=self._outputs)
        return Indexed(partial(function, instance), outputs=self._outputs)


def takes_columns(
    *, outputs: bool = True
) -> Callable[
    [Callable[Concatenate[Owner, Given], Result]], ColumnMethod[Owner, Given, Result]
]:
    """Let a method be called as ``method['in', 'out'](…)`` too.

    It gets them as the keyword ``columns``, which is None without brackets.

    :param outputs: False for a method whose brackets only name what is read.
    """

    def decorate(function: Any) -> Any:  # noqa: ANN401  (as the signature says)
        return ColumnMethod(function, outputs=outputs)

    return decorate
