"""A pipeline is a value: calls in order, nothing found, imported or loaded yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugin_spec.names import OperatorName


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A Python function applied to each row."""

    kind: Literal["map", "filter"]
    function: Callable[[Any], Any]

    def __str__(self) -> str:
        function = self.function
        name = getattr(function, "__qualname__", None) or type(function).__qualname__
        return f"{self.kind}({name.rpartition('<locals>.')[2]})"


@dataclass(frozen=True, slots=True)
class OperatorCall:
    """One operator, and the options it will be built with."""

    name: OperatorName
    options: tuple[tuple[str, object], ...] = ()

    def __str__(self) -> str:
        options = ", ".join(f"{key}={value!r}" for key, value in self.options)
        return f"{self.name.attribute_path}({options})"


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

    def __str__(self) -> str:
        return ".".join(map(str, self.calls))
