"""What each node of a graph did in one run: rows, seconds, and what it saw."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from towhee.bound import BoundPipeline
from towhee.executors.engines import get_executor
from towhee.executors.profile import Profile
from towhee.executors.recorder import SOURCE, Recorder

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from towhee.columns import Entity
    from towhee.executors.profile import Span, StageProfile
    from towhee.pipe.columns import Column
    from towhee.pipe.data_queue import DataQueue
    from towhee.pipe.frames import Applied
    from towhee.pipe.plan import Plan
    from towhee.pipe.stages import Stage


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What one node did."""

    name: str
    """The node as it was written."""
    profiles: tuple[Profile, ...]
    """The executor's own, of each call that the node is made of."""
    inputs: list[dict[str, Any]] = field(default_factory=list)
    """What it read, a dict a row, if that was asked for."""
    outputs: list[dict[str, Any]] = field(default_factory=list)
    """What it made, likewise."""

    @property
    def rows_in(self) -> int:
        """How many rows, or windows, it took."""
        return self.profiles[0].stages[0].rows

    @property
    def rows_out(self) -> int:
        """How many rows it gave."""
        return self.profiles[-1].stages[-1].rows

    @property
    def seconds(self) -> float:
        """Its own, without those of the nodes before it; all threads together."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def stages(self) -> tuple[StageProfile, ...]:
        """Its functions, and its operators' preparing and predicting."""
        stages = [stage for profile in self.profiles for stage in profile.stages]
        return tuple(stage for stage in stages if stage.stage != SOURCE)

    @property
    def spans(self) -> tuple[Span, ...]:
        """When its operators were called."""
        return tuple(span for profile in self.profiles for span in profile.spans)


@dataclass(frozen=True, slots=True)
class Debugged:
    """A run's results, and a report on every node; ``print`` shows a table."""

    result: DataQueue | list[DataQueue]
    nodes: tuple[NodeReport, ...]

    @property
    def profile(self) -> Profile:
        """All nodes in one table, which can be written as a Chrome trace as well."""
        return Profile(
            tuple(stage for node in self.nodes for stage in node.stages),
            tuple(span for node in self.nodes for span in node.spans),
        )

    def __str__(self) -> str:
        return str(self.profile)


class Watch:
    """Runs the calls of a plan one by one, rather than fused, and watches each.

    :param traced: patterns of the nodes whose inputs and outputs are kept.
    :param untraced: patterns of those that are not, of these.
    """

    def __init__(
        self, plan: Plan, traced: Sequence[str] = (), untraced: Sequence[str] = ()
    ) -> None:
        self._names, self._nodes = plan.names, plan.nodes
        self._traced, self._untraced = traced, untraced
        applied = [each for stage in plan.stages for each in stage.applied]
        self._recorders = {each: Recorder() for each in applied}
        self._inputs: dict[Applied, list[dict[str, Any]]] = {a: [] for a in applied}
        self._outputs: dict[Applied, list[dict[str, Any]]] = {a: [] for a in applied}

    def through(self, stage: Stage, rows: Iterator[Entity]) -> Generator[Entity]:
        """Take rows through the calls of a stage."""
        for applied, group in zip(stage.applied, stage.bound.groups, strict=True):
            executor = get_executor(recorder=self._recorders[applied])
            node = applied.node
            read = list(zip(node.inputs, applied.reads, strict=False))
            made = [(column, self._names[column]) for column in node.outputs]
            rows = self._seen(rows, read, self._inputs[applied], str(node))
            values = executor.values(BoundPipeline((group,)), rows)
            entities = cast("Iterator[Entity]", values)
            rows = self._seen(entities, made, self._outputs[applied], str(node))
        yield from rows

    def reports(self) -> tuple[NodeReport, ...]:
        """What every node did until now, in the order in which they were written."""
        return tuple(
            NodeReport(
                str(node),
                tuple(self._recorders[each].profile for each in calls),
                self._inputs[calls[0]],
                self._outputs[calls[-1]],
            )
            for node in self._nodes
            if (calls := [each for each in self._recorders if each.node is node])
        )

    def _seen(
        self,
        rows: Iterator[Entity],
        columns: Sequence[tuple[Column, str]],
        seen: list[dict[str, Any]],
        name: str,
    ) -> Iterator[Entity]:
        if not any(re.search(pattern, name) for pattern in self._traced):
            return rows
        if any(re.search(pattern, name) for pattern in self._untraced):
            return rows
        return _kept(rows, columns, seen)


def _kept(
    rows: Iterator[Entity],
    columns: Sequence[tuple[Column, str]],
    seen: list[dict[str, Any]],
) -> Iterator[Entity]:
    for row in rows:
        seen.append({c.name: row.__dict__[n] for c, n in columns if n in row.__dict__})
        yield row
