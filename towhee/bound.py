"""Operators that were found, with their options; loaded when they are first used."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from towhee.outcome import short_repr
from towhee.pipelines import FunctionCall, ends_safe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub_client.installed import InstalledOperator
    from plugin_spec.names import OperatorName
    from plugin_spec.spaces import EmbeddingSpace, HasSpace
    from towhee.columns import Columns
    from towhee.declared_space import DeclaredSpace
    from towhee.loaded_operator import LoadedOperator


@dataclass(frozen=True, slots=True)
class BoundOperator:
    """An installed operator and its options; loaded once, when it is first used."""

    installed: InstalledOperator
    options: Mapping[str, object]
    columns: Columns | None = None
    source: HasSpace | None = field(default=None, compare=False, repr=False)
    """What made the vectors that it takes, if that is known."""
    trained: Mapping[str, bytes] | None = field(default=None, compare=False, repr=False)
    """Files of weights that another process trained; None for the operator's own."""
    declared: DeclaredSpace | None = field(default=None, compare=False, repr=False)
    """What its manifest, or its pipeline's, says that its vectors are of."""
    pipeline: InstalledOperator | None = field(default=None, compare=False, repr=False)
    """The pipeline that was asked for, if this is one of its steps."""
    _loaded: list[LoadedOperator] = field(
        default_factory=list, compare=False, repr=False
    )

    @property
    def name(self) -> OperatorName:
        """The operator's name."""
        return self.installed.manifest.name

    def in_columns(self, columns: Columns | None) -> BoundOperator:
        """The same operator for other columns; loaded once for both."""
        return replace(self, columns=columns)

    def load(self) -> LoadedOperator:
        """Import the operator and build it, unless that was done before."""
        if not self._loaded:
            self._loaded[:] = [self._load(own=self.trained is not None)]
        return self._loaded[0]

    @property
    def is_trained(self) -> bool:
        """Whether it has weights that its options do not say."""
        return self.trained is not None or any(each.is_own for each in self._loaded)

    def own(self) -> LoadedOperator:
        """An instance that nobody else has, for training; from now on used here."""
        if not (self._loaded and self._loaded[0].is_own):
            with warnings.catch_warnings():
                if self._loaded:
                    # The shared one was loaded so, and has warned of it.
                    warnings.simplefilter("ignore")
                self._loaded[:] = [self._load(own=True)]
        return self._loaded[0]

    def _load(self, *, own: bool = False) -> LoadedOperator:
        from towhee.loader import load_operator  # noqa: PLC0415  (pluggy: 20 ms)

        installed = self.installed
        tree, digest = installed.tree, installed.receipt.tree
        loaded = load_operator(tree, digest, installed.manifest, self.options, own=own)
        if self.trained is not None:
            from towhee.trained_weights import unpack  # noqa: PLC0415  (rare)

            unpack(self.trained, loaded.operator)
        return loaded

    def ready(self) -> LoadedOperator:
        """The same, for vectors of the space that those which it takes have by now.

        :raises SpacesDiffer: if it compares them with those of another.
        """
        loaded = self.load()
        if self.source is None or not loaded.minds_spaces:
            return loaded
        from towhee.sources import space_from  # noqa: PLC0415  (it builds on this)

        space = space_from(self.source)
        return loaded if space is None else loaded.for_space(space)

    @property
    def space(self) -> EmbeddingSpace | None:
        """The space of the vectors that it makes; it is loaded for that."""
        space = self.load().operator.space
        if self.declared is not None and not self.is_trained:
            self.declared.hold(space)
        return space

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
        # What is loaded stays here, and another process loads it again. What was
        # trained goes along: that process would embed with other weights.
        trained = self.trained
        if any(each.is_own for each in self._loaded):
            from towhee.trained_weights import pack  # noqa: PLC0415  (rare)

            trained = pack(self._loaded[0].operator)
        known = (self.installed, self.options, self.columns, self.source, trained)
        return BoundOperator, (*known, None, self.pipeline)


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

    @property
    def ends_safe(self) -> bool:
        """Whether rows come out as ``Some`` and ``Empty``."""
        return ends_safe(self.steps)

    def after(self, calls: int) -> BoundPipeline:
        """What is left for rows that went through the first ``calls``."""
        rest = self.groups[calls:]
        if rest and ends_safe(BoundPipeline(self.groups[:calls]).steps):
            return BoundPipeline(rest).resumed()
        return BoundPipeline(rest)

    def resumed(self) -> BoundPipeline:
        """The same steps, for rows that come as ``Some`` and ``Empty``."""
        return BoundPipeline(((FunctionCall("resume", bool),), *self.groups))

    def load(self) -> list[FunctionCall | LoadedStep]:
        """The same steps, with every operator loaded.

        :raises SpacesDiffer: if vectors of two spaces would be compared.
        """
        return [
            step
            if isinstance(step, FunctionCall)
            else LoadedStep(step.ready(), step.columns)
            for step in self.steps
        ]


@dataclass(frozen=True, slots=True)
class LoadedStep:
    """A loaded operator, and the columns of a row that it reads and writes."""

    operator: LoadedOperator
    columns: Columns | None = None

    def read(self, row: object) -> object:
        """What the operator takes of a row."""
        return row if self.columns is None else self.columns.read(row)

    def write(self, row: Any, output: object) -> object:  # noqa: ANN401  (an Entity, or any value)
        """The row as it goes on: the output, or a copy with the output in it."""
        return output if self.columns is None else self.columns.write(row, output)

    def apply(self, row: object) -> object:
        """Process one row."""
        return self.write(row, self.operator.apply(self.read(row)))

    def prepare(self, row: object) -> object:
        """Turn one row into what the operator's ``predict`` takes."""
        return self.operator.prepare(self.read(row))

    def __str__(self) -> str:
        return self.operator.name


def _as_json(value: object) -> object:
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        return short_repr(value)
