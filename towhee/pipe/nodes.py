"""Nodes of a graph: what happens to which columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from plugin_spec.names import OperatorName
from towhee.callable_pipeline import CallablePipeline
from towhee.columns import Columns
from towhee.executors import DEFAULT_ENGINE
from towhee.operators import OperatorNamespace, OperatorReference
from towhee.pipelines import FunctionCall, OperatorCall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from towhee.pipe.columns import Column

Work: TypeAlias = Callable[..., Any] | OperatorCall | CallablePipeline
"""What a node calls: a function, or an operator that is yet to be found, or was."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows a window holds: ``size`` of them, a new one each ``step``."""

    size: float
    step: float
    time: Column | None = None
    """Milliseconds, where size and step are seconds; otherwise they are rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One call of a graph's method.

    ``window_all`` has no window: it takes all rows.
    """

    kind: Literal["input", "map", "flat_map", "filter", "window", "window_all"]
    inputs: tuple[Column, ...]
    outputs: tuple[Column, ...]
    work: Work | None = None
    filtered: tuple[Column, ...] = ()
    """What a filter lets pass, to become its outputs; its inputs decide."""
    window: Window | None = None

    @property
    def reads(self) -> tuple[Column, ...]:
        """Every column that the node needs."""
        time = self.window.time if self.window is not None else None
        more = () if time is None else (time,)
        return tuple(dict.fromkeys((*self.inputs, *self.filtered, *more)))

    def over(self, columns: Mapping[Column, Column]) -> Node:
        """The same work on other columns."""
        window = self.window
        if window is not None and window.time is not None:
            window = replace(window, time=columns[window.time])
        return replace(
            self,
            inputs=tuple(columns[column] for column in self.inputs),
            outputs=tuple(columns[column] for column in self.outputs),
            filtered=tuple(columns[column] for column in self.filtered),
            window=window,
        )

    def __str__(self) -> str:
        word = "time_window" if self.window and self.window.time else self.kind
        columns = Columns(
            tuple(column.name for column in self.inputs),
            tuple(column.name for column in self.outputs),
        )
        if operators(self.work) or not callable(self.work):
            return f"{word}{columns}({self.work or ''})"
        return word + str(FunctionCall("map", self.work, columns)).removeprefix("map")


def work(function: object) -> Work:
    """Take what may be called in a node; a text is an operator's name.

    :raises InvalidName: if a text is none.
    :raises TypeError: if it is no function either.
    """
    if isinstance(function, str):
        return OperatorCall(OperatorName.parse(function))
    if isinstance(function, OperatorReference):
        return OperatorCall(function.name)
    if isinstance(function, OperatorNamespace) or not callable(function):
        raise TypeError(f"{function!r} is neither a function nor an operator")
    return function


def operators(function: Work | None) -> tuple[OperatorCall, ...]:
    """The operators to run in this process, if that is what the work is."""
    if isinstance(function, OperatorCall):
        return (function,)
    if isinstance(function, CallablePipeline) and function.engine == DEFAULT_ENGINE:
        return tuple(c for c in function.calls if isinstance(c, OperatorCall))
    return ()
