"""Operators that were found, with their options; loaded when they are first used."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from towhee.outcome import short_repr
from towhee.pipelines import FunctionCall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub_client.installed import InstalledOperator
    from plugin_spec.names import OperatorName
    from towhee.loaded_operator import LoadedOperator


@dataclass(frozen=True, slots=True)
class BoundOperator:
    """An installed operator and its options; loaded once, when it is first used."""

    installed: InstalledOperator
    options: Mapping[str, object]
    _loaded: list[LoadedOperator] = field(
        default_factory=list, compare=False, repr=False
    )

    @property
    def name(self) -> OperatorName:
        """The operator's name."""
        return self.installed.manifest.name

    def load(self) -> LoadedOperator:
        """Import the operator and build it, unless that was done before."""
        if not self._loaded:
            from towhee.loader import load_operator  # noqa: PLC0415  (pluggy: 20 ms)

            installed = self.installed
            self._loaded[:] = [
                load_operator(
                    installed.tree,
                    installed.receipt.tree,
                    installed.manifest,
                    self.options,
                )
            ]
        return self._loaded[0]

    def describe(self) -> dict[str, object]:
        """What decides the results: the exact code, options, and the operator's own."""
        ours = {
            "operator": str(self.name),
            "version": str(self.installed.manifest.version),
            "tree": self.installed.receipt.tree,
            "options": {key: _as_json(value) for key, value in self.options.items()},
        }
        # What an operator says of itself stands beside these, never in their place.
        return {**ours, **self.load().operator.describe(), **ours}

    def __reduce__(self) -> tuple[object, ...]:
        # What is loaded stays here; another process loads it again.
        return BoundOperator, (self.installed, self.options)


@dataclass(frozen=True, slots=True)
class BoundPipeline:
    """Functions and operators in order; neighbouring ports agree.

    One group a call: a call of a pipeline repository is several steps.
    """

    groups: tuple[tuple[FunctionCall | BoundOperator, ...], ...]

    @property
    def steps(self) -> tuple[FunctionCall | BoundOperator, ...]:
        """Every step."""
        return tuple(step for group in self.groups for step in group)

    def after(self, calls: int) -> BoundPipeline:
        """What is left for rows that went through the first ``calls``."""
        return BoundPipeline(self.groups[calls:])

    def load(self) -> list[FunctionCall | LoadedOperator]:
        """The same steps, with every operator loaded."""
        return [
            step if isinstance(step, FunctionCall) else step.load()
            for step in self.steps
        ]


def _as_json(value: object) -> object:
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        return short_repr(value)
