"""A pipeline is a value: calls in order, nothing found, imported or loaded yet."""

from __future__ import annotations

from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plugin_spec.names import OperatorName
    from towhee.columns import Columns

Kind: TypeAlias = Literal[
    "map", "filter", "flat_map", "safe", "resume", "drop_empty", "fill_empty"
]
"""What a call does to a row.

``safe``: rows that fail from here on are kept as failures. ``drop_empty`` and
``fill_empty`` end that. ``resume``: rows come as ``Some`` and ``Empty``.
"""

_WORDS = {"safe": "exception_safe"}


@dataclass(frozen=True, slots=True)
class Parallel:
    """Functions run in ``workers`` threads or processes, a chunk of rows at a time."""

    workers: int
    backend: Literal["thread", "process"] = "thread"


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A Python function applied to each row, or to some of its columns.

    :param method: what was called, where the function is not its caller's own.
    """

    kind: Kind
    function: Callable[[Any], Any]
    columns: Columns | None = None
    parallel: Parallel | None = None
    method: str | None = None

    def __str__(self) -> str:
        word = self.method or _WORDS.get(self.kind, self.kind)
        return f"{word}{self.columns or ''}({self._shown.rpartition('<locals>.')[2]})"

    @property
    def _shown(self) -> str:
        if self.kind in {"safe", "resume", "drop_empty", "fill_empty"}:
            return ""
        function = self.function
        name: str = getattr(function, "__qualname__", "")
        if self.method is None:
            return name or type(function).__qualname__
        # What wraps a function of the caller's bears its name; others are none of his.
        return "" if isinstance(function, FunctionType) else name


@dataclass(frozen=True, slots=True)
class OperatorCall:
    """One operator, and the options it will be built with."""

    name: OperatorName
    options: tuple[tuple[str, object], ...] = ()
    columns: Columns | None = None

    def __str__(self) -> str:
        options = ", ".join(f"{key}={value!r}" for key, value in self.options)
        return f"{self.name.attribute_path}{self.columns or ''}({options})"


Call: TypeAlias = FunctionCall | OperatorCall


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Calls in order."""

    calls: tuple[Call, ...] = ()

    def then(self, call: Call) -> Pipeline:
        """Return a new pipeline that ends with ``call``.

        >>> str(Pipeline().then(FunctionCall("map", len)))
        'map(len)'
        """
        return Pipeline((*self.calls, call))

    @property
    def is_idle(self) -> bool:
        """Whether rows come out as they go in.

        >>> Pipeline().is_idle
        True
        """
        return all(getattr(call, "kind", None) == "resume" for call in self.calls)

    def __str__(self) -> str:
        return ".".join(map(str, self.calls))


def ends_safe(calls: Sequence[object]) -> bool:
    """Whether rows come out as ``Some`` and ``Empty``.

    >>> ends_safe((FunctionCall("safe", bool), FunctionCall("map", len)))
    True
    """
    for call in reversed(calls):
        kind = getattr(call, "kind", None)
        if kind in {"safe", "resume"}:
            return True
        if kind in {"drop_empty", "fill_empty"}:
            return False
    return False
