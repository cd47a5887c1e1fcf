"""Frames: rows whose columns are equally long, and what each frame is made of.

A call's values are one frame, of one row a call. A ``flat_map``, a filter or a window
begins another, since it changes how many rows there are; a ``map`` adds columns to the
frame that it reads. Whoever reads columns of several frames joins them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from towhee.pipelines import FunctionCall, OperatorCall

if TYPE_CHECKING:
    from towhee.pipe.columns import Column
    from towhee.pipe.nodes import Node, Window


@dataclass(frozen=True, slots=True)
class NodeCall(FunctionCall):
    """A function's call, which is told as it was written."""

    text: str = ""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, eq=False)
class Applied:
    """A node's call in a frame; ``reads`` and ``makes`` are names in its rows."""

    node: Node
    call: NodeCall | OperatorCall
    reads: tuple[str, ...]
    makes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Calls:
    """One row a call: the values that it brought."""


@dataclass(frozen=True, slots=True)
class Continued:
    """The rows of another frame; the first call makes them more or fewer."""

    parent: Frame


@dataclass(frozen=True, slots=True)
class Windowed:
    """One row a window: lists of what the rows in it had."""

    parent: Frame
    lists: tuple[tuple[str, str], ...]
    """Columns of the parent, and what the lists are called."""
    window: Window | None = None
    time: str | None = None
    """The parent's column that says where in time a row is."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one frame gives to a join: its columns, and what they are called there."""

    frame: Frame
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """Rows of several frames side by side; scalars go with every row.

    ``whole``: up to the end of the shortest, rather than of the longest.
    """

    sides: tuple[Side, ...]
    whole: bool


Source: TypeAlias = Calls | Continued | Windowed | Joined


@dataclass(slots=True, eq=False)
class Frame:
    """Rows of a source, and the calls that they go through."""

    source: Source
    is_queue: bool
    names: dict[Column, str] = field(default_factory=dict)
    """The columns that can be read here, and what they are called in its rows."""
    calls: list[Applied] = field(default_factory=list)

    @property
    def parents(self) -> tuple[Frame, ...]:
        """The frames that it is made of."""
        match self.source:
            case Joined(sides):
                return tuple(side.frame for side in sides)
            case Continued(parent) | Windowed(parent):
                return (parent,)
            case _:
                return ()
