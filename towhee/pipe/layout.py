"""From nodes to frames: where each column lives, and what each frame goes through."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from towhee.columns import PASSED, Columns
from towhee.pipe.frames import (
    Applied,
    Calls,
    Continued,
    Frame,
    Joined,
    NodeCall,
    Side,
    Windowed,
)
from towhee.pipe.nodes import operators
from towhee.pipe.rows import CALL
from towhee.pipelines import OperatorCall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from towhee.pipe.columns import Column
    from towhee.pipe.nodes import Node
    from towhee.pipelines import Kind


_TAKEN: Final = {CALL, PASSED}
"""Names in rows that stand for no column of the author's."""


class Layout:
    """The frames of a graph, each after those that it is made of.

    Rows of every frame have the columns of their call too. No frame depends on itself:
    its calls read its own columns and those of a call, nothing else.
    """

    def __init__(self, nodes: Sequence[Node], outputs: Iterable[Column]) -> None:
        self.told: dict[str, str] = {}
        """What columns are called in rows, and what the author called them."""
        self._homes: dict[Column, Frame] = {}
        self._later = Counter(column for node in nodes for column in node.reads)
        # Outputs are read after all nodes.
        self._later.update(outputs)
        self._abroad: set[Column] = set()
        """Columns that other frames read, or that share their place in rows."""
        first, *rest = nodes
        self.root = Frame(Calls(), is_queue=False)
        self.frames = [self.root]
        self.inputs = self._named(self.root, first.outputs)
        for node in rest:
            self._later.subtract(node.reads)
            getattr(self, f"_{node.kind}")(node)

    @property
    def names(self) -> dict[Column, str]:
        """What each column is called in the rows that it was made for."""
        return {column: home.names[column] for column, home in self._homes.items()}

    def given(self, columns: Sequence[Column]) -> list[tuple[Frame, str]]:
        """The frame that each column is given from, and its name in the rows there."""
        frames = self._frames(columns)
        if len(frames) == 1:
            names = self._read(frames[0], columns)
            return [(frames[0], name) for name in names]
        return [(self._homes[column], self.names[column]) for column in columns]

    def _map(self, node: Node) -> None:
        frame = self._holding(node.reads)
        self._abroad.update(c for c in node.reads if self._homes[c] is not frame)
        reads = self._read(frame, node.inputs)
        self._work(frame, node, reads, self._named(frame, node.outputs))

    def _flat_map(self, node: Node) -> None:
        self._abroad.update(node.reads)
        parent = self._holding(node.reads)
        function, reads = self._asked(parent, node)
        frame = self._begin(Frame(Continued(parent), is_queue=True))
        makes = self._named(frame, node.outputs) or (self._fresh("nothing"),)
        self._function(frame, node, "flat_map", function, Columns(reads, makes))

    def _filter(self, node: Node) -> None:
        self._abroad.update(node.reads)
        parent = self._holding(node.reads)
        function, reads = self._asked(parent, node)
        frame = self._begin(Frame(Continued(parent), parent.is_queue))
        self._function(frame, node, "filter", function, Columns(reads))
        for column, name in zip(
            node.outputs, self._read(parent, node.filtered), strict=True
        ):
            frame.names[column] = name
            self._homes[column] = frame
        self._abroad.update(node.outputs)

    def _window(self, node: Node) -> None:
        self._abroad.update(node.reads)
        parent = self._lying(node.reads)
        inputs = self._read(parent, node.inputs)
        lists = tuple(self._fresh(column.name) for column in node.inputs)
        time = node.window.time if node.window is not None else None
        (place,) = (None,) if time is None else self._read(parent, (time,))
        pairs = tuple(zip(inputs, lists, strict=True))
        source = Windowed(parent, pairs, node.window, place)
        frame = self._begin(Frame(source, is_queue=node.window is not None))
        self._work(frame, node, lists, self._named(frame, node.outputs))

    _window_all = _window

    def _holding(self, columns: Sequence[Column]) -> Frame:
        """A frame in whose rows all of the columns are; a new one if there is none."""
        frames = self._frames(columns)
        for frame in frames:
            if all(c in frame.names or c in self.root.names for c in columns):
                return frame
        return self._side_by_side(frames, columns, whole=True)

    def _lying(self, columns: Sequence[Column]) -> Frame:
        """The frame that all of the columns were made in, or a new one."""
        frames = self._frames(columns)
        if len(frames) == 1:
            return frames[0]
        return self._side_by_side(frames, columns, whole=False)

    def _frames(self, columns: Sequence[Column]) -> list[Frame]:
        homes = dict.fromkeys(self._homes[column] for column in columns)
        return [home for home in homes if home is not self.root] or [self.root]

    def _side_by_side(
        self, frames: Sequence[Frame], columns: Sequence[Column], *, whole: bool
    ) -> Frame:
        names = {
            column: self._fresh(column.name)
            for column in columns
            if self._homes[column] is not self.root
        }
        sides = tuple(
            Side(
                frame,
                tuple(
                    (frame.names[column], name)
                    for column, name in names.items()
                    if self._homes[column] is frame
                ),
            )
            for frame in frames
        )
        is_queue = any(frame.is_queue for frame in frames)
        return self._begin(Frame(Joined(sides, whole), is_queue, names))

    def _begin(self, frame: Frame) -> Frame:
        self.frames.append(frame)
        return frame

    def _asked(
        self, frame: Frame, node: Node
    ) -> tuple[Callable[..., Any], tuple[str, ...]]:
        """What decides, and what it reads; an operator's answer is a column."""
        reads = self._read(frame, node.inputs)
        if not operators(node.work):
            return node.work, reads  # type: ignore[return-value]  # then it is a function
        answer = (self._fresh("answer"),)
        self._work(frame, node, reads, answer)
        return _itself, answer

    def _work(
        self, frame: Frame, node: Node, reads: tuple[str, ...], makes: tuple[str, ...]
    ) -> None:
        makes = makes or (self._fresh("nothing"),)
        calls = operators(node.work)
        if not calls:
            columns = Columns(reads, makes, gathers=True)
            self._function(frame, node, "map", node.work, columns)
            return
        through = Columns(reads, makes).through(len(calls))
        for call, columns in zip(calls, through, strict=True):
            placed = OperatorCall(call.name, call.options, columns)
            frame.calls.append(Applied(node, placed, columns.inputs, columns.outputs))

    def _function(
        self,
        frame: Frame,
        node: Node,
        kind: Kind,
        function: Any,  # noqa: ANN401  (as it was given)
        columns: Columns,
    ) -> None:
        call = NodeCall(kind, function, columns, text=str(node))
        frame.calls.append(Applied(node, call, columns.inputs, columns.outputs))

    def _read(self, frame: Frame, columns: Iterable[Column]) -> tuple[str, ...]:
        return tuple(
            frame.names.get(column) or self.root.names[column] for column in columns
        )

    def _named(self, frame: Frame, columns: Iterable[Column]) -> tuple[str, ...]:
        names = {c: self._free(frame, c.name) or self._fresh(c.name) for c in columns}
        frame.names.update(names)
        self._homes.update(dict.fromkeys(names, frame))
        return tuple(names.values())

    def _free(self, frame: Frame, name: str) -> str | None:
        """What a column of that name was called, if nobody reads it from here on.

        Other frames read a frame's rows when all of its calls were made.
        """
        for column, place in reversed(frame.names.items()):
            if column.name == name and self._homes[column] is frame:
                read = self._later[column] or column in self._abroad
                return None if read else place
        return None

    def _fresh(self, name: str) -> str:
        fresh, number = name, 1
        while fresh in self.told or fresh in _TAKEN:
            number += 1
            fresh = f"{name}_{number}"
        self.told[fresh] = name
        return fresh


def _itself(value: Any) -> Any:  # noqa: ANN401  (an operator's answer)
    return value
