"""Where the vectors in a row come from: their space is known without looking."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.errors import HubError
from plugin_spec.spaces import EmbeddingSpace
from towhee.bound import BoundOperator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeAlias

    from plugin_spec.port import Port
    from plugin_spec.spaces import HasSpace
    from towhee.pipelines import FunctionCall

    Known: TypeAlias = Mapping[str | None, HasSpace]
    """By column, what made its vectors; under None, those of rows without columns."""

_CHANGING: Final = {"map", "flat_map"}
_TAKING: Final = frozenset({"vector", "any"})


class SeveralSpaces(HubError, LookupError):
    """Rows hold vectors in several columns, and none was named."""


class Sources:
    """What made the vectors, step by step; nothing is loaded for it.

    What comes out of a Python function is not known, even if a vector went in.
    """

    def __init__(self, known: Known | None = None) -> None:
        self._known: dict[str | None, HasSpace] = dict(known or {})

    @property
    def known(self) -> Known:
        """As it is behind the steps that were passed."""
        return self._known

    def rename(self, before: str, after: str) -> None:
        """Let a column be known by another name as well."""
        if before in self._known:
            self._known[after] = self._known[before]

    def through(
        self, steps: Iterable[FunctionCall | BoundOperator]
    ) -> tuple[FunctionCall | BoundOperator, ...]:
        """Pass steps; each operator is told what made the vectors that it takes."""
        return tuple(map(self._pass, steps))

    def _pass(self, step: FunctionCall | BoundOperator) -> FunctionCall | BoundOperator:
        if not isinstance(step, BoundOperator):
            self._call(step)
            return step
        fed = replace(step, source=self._source(step))
        if step.columns is None:
            self._known.clear()
        outputs = step.installed.manifest.outputs
        names = step.columns.outputs if step.columns else (None,)
        for number, name in enumerate(names):
            ports = outputs if len(names) == 1 else outputs[number : number + 1]
            if len(ports) == 1 and "vector" in ports[0].types:
                self._known[name] = fed
            else:
                self._known.pop(name, None)
        return fed

    def _source(self, step: BoundOperator) -> HasSpace | None:
        inputs = step.installed.manifest.inputs
        if not any(map(_may_be_vector, inputs)):
            return None
        if step.columns is None and None not in self._known:
            # A whole row is a record, whose vector is in the column that this names.
            return self._known.get(str(step.options.get("vector", "vector")))
        names = step.columns.inputs if step.columns else (None,)
        known = [self._known[name] for name in names if name in self._known]
        return known[0] if len(known) == 1 else None

    def _call(self, call: FunctionCall) -> None:
        if call.kind not in _CHANGING:
            return
        function: Any = call.function
        moved = getattr(function, "moved", None)
        if call.kind == "map" and call.columns is None and callable(moved):
            self._known = moved(self._known)
            return
        for name in call.columns.outputs if call.columns else tuple(self._known):
            self._known.pop(name, None)
        # On the class: asking an operator itself would load it.
        if call.kind == "map" and hasattr(type(function), "space"):
            names = call.columns.outputs if call.columns else (None,)
            if len(names) == 1:
                self._known[names[0]] = function


def space_from(source: HasSpace | None) -> EmbeddingSpace | None:
    """The space that something makes vectors of; its operators are loaded for it."""
    space = None if source is None else source.space
    # A function's own `space` may be anything.
    return space if isinstance(space, EmbeddingSpace) else None


def only_space(known: Known) -> EmbeddingSpace | None:
    """The space of rows that are vectors, or that have one column of them.

    :raises SeveralSpaces: naming the columns, if several hold vectors.
    """
    if len(known) > 1 and None not in known:
        columns = ", ".join(f"`{name}`" for name in known)
        raise SeveralSpaces(
            f"Rows have vectors in several columns: {columns}",
            hint="Choose one of them, with `select`",
        )
    return space_from(known.get(None, next(iter(known.values()), None)))


def column_spaces(known: Known, unnamed: str = "value") -> dict[str, EmbeddingSpace]:
    """The spaces that are known, by column.

    :param unnamed: what the column of rows without any is called.
    """
    found = {name or unnamed: space_from(source) for name, source in known.items()}
    return {name: space for name, space in found.items() if space is not None}


def _may_be_vector(port: Port) -> bool:
    return not _TAKING.isdisjoint(port.types)
