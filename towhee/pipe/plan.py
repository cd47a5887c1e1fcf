"""How a graph is run: its frames in order, as pipelines of the house's own executor."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

from towhee.binding import bind
from towhee.bound import BoundOperator
from towhee.callable_pipeline import CallablePipeline
from towhee.columns import Entity
from towhee.outcome import OperatorFailed
from towhee.pipe.data_queue import NOTHING, DataQueue
from towhee.pipe.frames import Joined
from towhee.pipe.layout import Layout
from towhee.pipe.readers import idle, readers
from towhee.pipe.rows import CALL, Begun, aligned, each_call, picker
from towhee.pipe.stages import Flow, stages
from towhee.pipelines import Pipeline
from towhee.sources import Sources

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Generator,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )
    from typing import TypeAlias

    from plugin_spec.operator import Operator
    from towhee.pipe.columns import Column
    from towhee.pipe.frames import Frame
    from towhee.pipe.nodes import Node
    from towhee.pipe.stages import Group, Stage

    Through: TypeAlias = Callable[[Stage, Iterator[Entity]], Generator[Entity]]
    """Takes rows through the calls of a stage."""


class Plan:
    """A graph that was laid out, with its operators found; many runs may share it."""

    def __init__(self, nodes: Sequence[Node], outputs: Mapping[str, Column]) -> None:
        layout = Layout(nodes, outputs.values())
        self._given = given = layout.given(tuple(outputs.values()))
        self.nodes, self.inputs, self.names = nodes, layout.inputs, layout.names
        self._told = layout.told
        self._columns = tuple(outputs)
        self._picked: dict[Frame, list[str]] = {}
        for frame, name in given:
            self._picked.setdefault(frame, []).append(name)
        self._idle = idle(layout.frames, self._picked)
        self._is_plain = list(self._picked) == [layout.root] and not self._idle
        groups = _bound(layout.frames)
        self.stages = stages(layout.frames, readers(layout.frames, given), groups)

    def run(
        self, calls: Iterable[Sequence[Any]], through: Through
    ) -> Iterator[DataQueue]:
        """One result a call, in order."""
        flow = Flow(Begun(self.inputs, calls))
        with ExitStack() as opened:
            for stage in self.stages:
                rows = stage.rows(flow)
                if stage.applied:
                    # What works in the background ends where an error leaves.
                    rows = opened.enter_context(closing(through(stage, rows)))
                flow.add(stage, rows)
            yield from self._results(flow)

    def load(self) -> None:
        """Load every operator."""
        for stage in self.stages:
            stage.bound.load()

    def operators(self) -> list[Operator]:
        """Every operator, loaded."""
        steps = [step for stage in self.stages for step in stage.bound.steps]
        bound = [step for step in steps if isinstance(step, BoundOperator)]
        return [step.load().operator for step in bound]

    def as_written(self, failure: OperatorFailed, *, alone: bool) -> OperatorFailed:
        """A failure, with the author's names and the number of the call.

        :param alone: whether there was only one call.
        """
        if not isinstance(failure.input, Entity) or CALL not in failure.input:
            return failure  # What gives the values has failed.
        row = vars(failure.input)
        columns = {self._told[name]: row[name] for name in row if name in self._told}
        assert failure.__cause__ is not None
        return OperatorFailed(
            failure.operator,
            Entity(**columns),
            failure.__cause__,
            row=None if alone else row[CALL],
        )

    def _results(self, flow: Flow) -> Iterator[DataQueue]:
        names = [*self._picked.values(), *((),) * len(self._idle)]
        rows = [flow.read(frame) for frame in (*self._picked, *self._idle)]
        readers = list(zip(rows, names, strict=True))
        if self._is_plain:
            pick = picker(names[0])
            for row in rows[0]:
                yield DataQueue(self._columns, (pick(row),))
        elif len(self._picked) == 1:
            for group, *_ in each_call(readers, flow.begun):
                yield DataQueue(self._columns, group)
        else:
            for groups in each_call(readers, flow.begun):
                yield DataQueue(self._columns, self._aligned(groups))

    def _aligned(self, groups: tuple[list[Any], ...]) -> Iterator[tuple[Any, ...]]:
        frames = list(self._picked)
        queues = [frame.is_queue for frame in frames]
        places = [
            (frames.index(frame), self._picked[frame].index(name))
            for frame, name in self._given
        ]
        for parts in aligned(groups[: len(frames)], queues):
            yield tuple(
                NOTHING if (part := parts[side]) is None else part[place]
                for side, place in places
            )


def _bound(frames: Sequence[Frame]) -> list[Group]:
    """Find the operators, all of them held against each other; one group a call."""
    applied = [call for frame in frames for call in frame.calls]
    bound = bind(Pipeline(tuple(each.call for each in applied)))
    groups = zip(applied, bound.groups, strict=True)
    loaded = {each: _as_loaded(each.node, group) for each, group in groups}
    sources = Sources()
    for frame in frames:
        if isinstance(frame.source, Joined):
            for side in frame.source.sides:
                for there, here in side.columns:
                    sources.rename(there, here)
        for each in frame.calls:
            loaded[each] = sources.through(loaded[each])
    return [loaded[each] for each in applied]


def _as_loaded(node: Node, group: Group) -> Group:
    """The same operators; those that the author has loaded are not loaded again."""
    if not isinstance(node.work, CallablePipeline):
        return group
    theirs = [step for step in node.work.bound.steps if isinstance(step, BoundOperator)]
    ours = [step for step in group if isinstance(step, BoundOperator)]
    if len(ours) != len(theirs):
        return group
    return tuple(
        loaded.in_columns(step.columns)
        for loaded, step in zip(theirs, ours, strict=True)
    )
