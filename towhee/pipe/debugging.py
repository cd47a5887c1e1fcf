"""What each node of a graph did in one run: rows, seconds, and what it saw."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from towhee.bound import BoundPipeline

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from towhee.columns import Entity
    from towhee.executors import Executor
    from towhee.pipe.columns import Column
    from towhee.pipe.data_queue import DataQueue
    from towhee.pipe.frames import Applied
    from towhee.pipe.plan import Plan
    from towhee.pipe.stages import Stage


@dataclass(slots=True)
class NodeReport:
    """What one node did."""

    name: str
    """The node as it was written."""
    rows_in: int = 0
    rows_out: int = 0
    seconds: float = 0.0
    """Its own, without those of the nodes before it."""
    inputs: list[dict[str, Any]] = field(default_factory=list)
    """What it read, a dict a row, if that was asked for."""
    outputs: list[dict[str, Any]] = field(default_factory=list)
    """What it made, likewise."""


@dataclass(frozen=True, slots=True)
class Debugged:
    """A run's results, and a report on every node; ``print`` shows a table."""

    result: DataQueue | list[DataQueue]
    nodes: tuple[NodeReport, ...]

    def __str__(self) -> str:
        width = max((len(node.name) for node in self.nodes), default=0)
        lines = [f"{'node':{width}}  rows in  rows out   seconds"]
        lines += [
            f"{node.name:{width}}  {node.rows_in:7}  {node.rows_out:8}  "
            f"{node.seconds:8.4f}"
            for node in self.nodes
        ]
        return "\n".join(lines)


class Recorder:
    """Runs the calls of a plan one by one, rather than fused, and watches each.

    :param traced: patterns of the nodes whose inputs and outputs are kept.
    :param untraced: patterns of those that are not, of these.
    """

    def __init__(
        self,
        plan: Plan,
        executor: Executor,
        traced: Sequence[str] = (),
        untraced: Sequence[str] = (),
    ) -> None:
        self._executor = executor
        self._traced, self._untraced = traced, untraced
        self._within = [0.0]
        applied = [each for stage in plan.stages for each in stage.applied]
        self._names = plan.names
        self._last = {each.node: each for each in applied}
        self._first = {each.node: each for each in reversed(applied)}
        nodes = [node for node in plan.nodes if node in self._last]
        self.reports = {node: NodeReport(str(node)) for node in nodes}

    def through(self, stage: Stage, rows: Iterator[Entity]) -> Generator[Entity]:
        """Take rows through the calls of a stage."""
        for applied, group in zip(stage.applied, stage.bound.groups, strict=True):
            if applied is self._first[applied.node]:
                rows = self._entering(rows, applied)
            values = self._executor.values(BoundPipeline((group,)), rows)
            rows = self._leaving(values, applied)
        yield from rows

    def _entering(self, rows: Iterator[Entity], applied: Applied) -> Iterator[Entity]:
        node, report = applied.node, self.reports[applied.node]
        is_traced = self._is_traced(report.name)
        read = list(zip(node.inputs, applied.reads, strict=True))
        for row in rows:
            report.rows_in += 1
            if is_traced:
                report.inputs.append(_values(row, read))
            yield row

    def _leaving(self, rows: Iterator[Any], applied: Applied) -> Iterator[Entity]:
        node, report = applied.node, self.reports[applied.node]
        is_last = applied is self._last[node]
        is_traced = is_last and self._is_traced(report.name)
        made = [(column, self._names[column]) for column in node.outputs]
        while (row := self._timed(rows, report)) is not None:
            report.rows_out += is_last
            if is_traced:
                report.outputs.append(_values(row, made))
            yield row

    def _timed(self, rows: Iterator[Any], report: NodeReport) -> Any:  # noqa: ANN401  (a row, or None)
        began = time.perf_counter()
        self._within.append(0.0)
        try:
            return next(rows, None)
        finally:
            spent = time.perf_counter() - began
            report.seconds += spent - self._within.pop()
            self._within[-1] += spent

    def _is_traced(self, name: str) -> bool:
        found = any(re.search(pattern, name) for pattern in self._traced)
        return found and not any(re.search(pattern, name) for pattern in self._untraced)


def _values(row: Entity, names: Sequence[tuple[Column, str]]) -> dict[str, Any]:
    return {column.name: row.__dict__[name] for column, name in names}
