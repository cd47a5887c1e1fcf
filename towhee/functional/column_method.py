"""Methods that also take columns in brackets: ``rows.map['a', 'b'](len)``."""

from __future__ import annotations

from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, cast

from towhee.columns import Columns

if TYPE_CHECKING:
    from collections.abc import Callable

Owner = TypeVar("Owner")
Given = ParamSpec("Given")


class Indexed(Generic[Owner, Given]):
    """A method of one collection, to call, or to give columns first."""

    __slots__ = ("_instance", "_method")

    def __init__(self, method: ColumnMethod[Given], instance: Owner) -> None:
        self._method = method
        self._instance = instance

    def __getitem__(self, index: object) -> Callable[Given, Owner]:
        columns = Columns.parse(index, outputs=self._method.outputs)
        return partial(self._method.function, self._instance, columns=columns)

    def __call__(self, *args: Given.args, **kwargs: Given.kwargs) -> Owner:
        """Call the method without columns."""
        return cast("Owner", self._method.function(self._instance, *args, **kwargs))

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]  # that of the method
        return self._method.function.__doc__


class ColumnMethod(Generic[Given]):
    """What ``takes_columns`` makes of a method, which returns one of its own kind."""

    def __init__(self, function: Callable[..., Any], *, outputs: bool) -> None:
        self.function = function
        self.outputs = outputs
        update_wrapper(cast("Any", self), function)

    def __get__(self, instance: Owner, owner: type) -> Indexed[Owner, Given]:
        # Of the class itself, it is what pages and `help` take a method for.
        return Indexed(self, instance) if instance is not None else cast("Any", self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Call it as a function of the class, with a collection first."""
        return self.function(*args, **kwargs)


def takes_columns(
    *, outputs: bool = True
) -> Callable[[Callable[Concatenate[Any, Given], Any]], ColumnMethod[Given]]:
    """Let a method be called as ``method['in', 'out'](…)`` too.

    It gets them as the keyword ``columns``, which is None without brackets.

    :param outputs: False for a method whose brackets only name what is read.
    """

    def decorate(function: Callable[..., Any]) -> ColumnMethod[Given]:
        return ColumnMethod(function, outputs=outputs)

    return decorate
