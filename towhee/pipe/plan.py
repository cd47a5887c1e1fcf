"""How a graph is run: its frames in order, as pipelines of the house's own executor."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from towhee.binding import bind
from towhee.bound import BoundOperator, BoundPipeline
from towhee.callable_pipeline import CallablePipeline
from towhee.columns import Entity
from towhee.outcome import OperatorFailed
from towhee.pipe.data_queue import NOTHING, DataQueue
from towhee.pipe.frames import Calls, Continued, Joined, Windowed
from towhee.pipe.layout import Layout
from towhee.pipe.readers import arriving, idle, readers
from towhee.pipe.rows import CALL, Begun, Shared, aligned, each_call, joined, windowed
from towhee.pipelines import FunctionCall, Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from plugin_spec.operator import Operator
    from towhee.pipe.columns import Column
    from towhee.pipe.frames import Applied, Frame, Source
    from towhee.pipe.nodes import Node

    Group: TypeAlias = tuple[FunctionCall | BoundOperator, ...]
    Through: TypeAlias = Callable[["Stage", Iterator[Entity]], Generator[Entity]]
    """Takes rows through the calls of a stage."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A frame's rows: where they come from, what they go through, who reads them."""

    frame: Frame
    source: Source
    carried: frozenset[str]
    """Columns of the call that go with rows which are made anew."""
    applied: tuple[Applied, ...]
    bound: BoundPipeline
    readers: tuple[frozenset[str], ...]

    def continued(self, other: Stage) -> Stage:
        """Both as one, which gives the other's rows."""
        return replace(
            other,
            source=self.source,
            carried=self.carried,
            applied=(*self.applied, *other.applied),
            bound=BoundPipeline((*self.bound.groups, *other.bound.groups)),
        )

    def rows(self, flow: Flow) -> Iterator[Entity]:
        """The rows as they arrive; nothing is pulled yet."""
        match self.source:
            case Calls():
                return iter(flow.begun)
            case Continued(parent):
                return flow.read(parent)
            case Windowed(parent) as source:
                return windowed(flow.read(parent), source, self.carried)
            case Joined(sides) as source:
                rows = [flow.read(side.frame) for side in sides]
                return joined(rows, source, self.carried, flow.begun)


class Flow:
    """Rows on their way, in one run."""

    def __init__(self, begun: Begun) -> None:
        self.begun = begun
        self._open: dict[Frame, Iterator[Iterator[Entity]]] = {}

    def add(self, stage: Stage, rows: Iterator[Entity]) -> None:
        """Let rows be read by whoever needs them."""
        if len(stage.readers) > 1:
            self._open[stage.frame] = Shared(rows, stage.readers).readers()
        else:
            self._open[stage.frame] = iter((rows,))

    def read(self, frame: Frame) -> Iterator[Entity]:
        """The rows of a frame, for the next of its readers."""
        return next(self._open[frame])


class Plan:
    """A graph that was laid out, with its operators found; many runs may share it."""

    def __init__(self, nodes: Sequence[Node], outputs: Sequence[Column]) -> None:
        layout = Layout(nodes)
        ending = layout.joined(outputs)
        self.inputs, self._told = layout.inputs, layout.told
        self._columns = tuple(column.name for column in outputs)
        self._frames = [side.frame for side in ending.sides]
        self._idle = idle(layout.frames, ending)
        places = [layout.place(column) for column in outputs]
        self._picked = [(self._frames.index(frame), name) for frame, name in places]
        self._pick = _picker([name for _, name in self._picked])
        self._is_plain = self._frames == [layout.root] and not self._idle
        groups = _bound([call for frame in layout.frames for call in frame.calls])
        self.stages = _stages(layout.frames, ending, groups)

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
        readers = [flow.read(frame) for frame in (*self._frames, *self._idle)]
        columns, pick = self._columns, self._pick
        if self._is_plain:
            for row in readers[0]:
                yield DataQueue(columns, (pick(row),))
        elif len(self._frames) == 1:
            for rows, *_ in each_call(readers, flow.begun):
                yield DataQueue(columns, map(pick, rows))
        else:
            for groups in each_call(readers, flow.begun):
                yield DataQueue(columns, self._aligned(groups))

    def _aligned(self, groups: tuple[list[Entity], ...]) -> Iterator[tuple[Any, ...]]:
        queues = [frame.is_queue for frame in self._frames]
        for parts in aligned(groups[: len(queues)], queues):
            yield tuple(
                NOTHING if (part := parts[side]) is None else part.__dict__[name]
                for side, name in self._picked
            )


def _picker(names: Sequence[str]) -> Callable[[Entity], tuple[Any, ...]]:
    """What gives a row's values, in a tuple."""
    if len(names) == 1:
        name = names[0]
        return lambda row: (row.__dict__[name],)
    pick = itemgetter(*names)
    return lambda row: pick(row.__dict__)


def _bound(applied: Sequence[Applied]) -> list[Group]:
    """Find the operators, all of them held against each other; one group a call."""
    bound = bind(Pipeline(tuple(each.call for each in applied)))
    groups = zip(applied, bound.groups, strict=True)
    return [_as_loaded(each.node, group) for each, group in groups]


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


def _stages(
    frames: Sequence[Frame], ending: Joined, groups: Sequence[Group]
) -> list[Stage]:
    """One stage a frame; one that alone continues another takes its place."""
    found = readers(frames, ending)
    root = frozenset(frames[0].names.values())
    stages: dict[Frame, Stage] = {}
    place = 0
    for frame in frames:
        own = tuple(groups[place : place + len(frame.calls)])
        place += len(frame.calls)
        stage = Stage(
            frame,
            frame.source,
            arriving(frame, found) & root,
            tuple(frame.calls),
            BoundPipeline(own),
            tuple(found[frame]),
        )
        parent = frame.source.parent if isinstance(frame.source, Continued) else None
        if parent is not None and len(found[parent]) == 1:
            stage = stages.pop(parent).continued(stage)
        stages[frame] = stage
    return list(stages.values())
