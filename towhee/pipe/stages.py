"""Frames as they are run: one stage a frame, or several frames in one go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from towhee.bound import BoundOperator, BoundPipeline
from towhee.pipe.frames import Calls, Continued, Joined, Windowed
from towhee.pipe.readers import arriving
from towhee.pipe.rows import Begun, Shared, joined, windowed
from towhee.pipelines import FunctionCall

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from towhee.columns import Entity
    from towhee.pipe.frames import Applied, Frame, Source
    from towhee.pipe.readers import Readers

Group: TypeAlias = tuple[FunctionCall | BoundOperator, ...]
"""What one call is, once operators are found."""


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A frame's rows: where they come from, what they go through, who reads them."""

    frame: Frame
    source: Source
    carried: tuple[str, ...]
    """Columns of the call that go with rows which are made anew."""
    applied: tuple[Applied, ...]
    bound: BoundPipeline
    readers: tuple[frozenset[str], ...]
    is_single: bool
    """Whether a call has one row here at most, before a ``flat_map``."""

    def continued(self, other: Stage) -> Stage:
        """Both as one, which gives the other's rows."""
        return replace(
            other,
            source=self.source,
            is_single=self.is_single,
            carried=self.carried,
            applied=(*self.applied, *other.applied),
            bound=BoundPipeline((*self.bound.groups, *other.bound.groups)),
        )

    def split(self) -> tuple[BoundPipeline, BoundPipeline]:
        """What one row of a call goes through, if operators do, and what many do."""
        groups = self.bound.groups
        kinds = [getattr(group[0], "kind", None) for group in groups]
        count = kinds.index("flat_map") if "flat_map" in kinds else len(kinds)
        if not self.is_single or None not in kinds[:count]:
            count = 0
        return BoundPipeline(groups[:count]), BoundPipeline(groups[count:])

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


def stages(
    frames: Sequence[Frame], found: Readers, groups: Sequence[Group]
) -> list[Stage]:
    """One stage a frame; one that alone continues another takes its place."""
    root = frozenset(frames[0].names.values())
    made: list[Stage] = []
    places: dict[Frame, int] = {}
    rest = iter(groups)
    for frame in frames:
        own = tuple(islice(rest, len(frame.calls)))
        stage = Stage(
            frame,
            frame.source,
            tuple(arriving(frame, found) & root),
            tuple(frame.calls),
            BoundPipeline(own),
            tuple(found[frame]),
            is_single=not _begins_with_many(frame),
        )
        parent = frame.source.parent if isinstance(frame.source, Continued) else None
        if parent is not None and len(found[parent]) == 1:
            # In its place: readers take their turns in the order of the stages.
            places[frame] = places[parent]
            made[places[frame]] = made[places[frame]].continued(stage)
        else:
            places[frame] = len(made)
            made.append(stage)
    return made


def _begins_with_many(frame: Frame) -> bool:
    if isinstance(frame.source, Continued):
        return frame.source.parent.is_queue
    return frame.is_queue
