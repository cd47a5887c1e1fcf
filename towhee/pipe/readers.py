"""Who reads which frame, and what of it: the rest need not be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from towhee.pipe.frames import Continued, Joined, Windowed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from towhee.pipe.frames import Frame

    Readers: TypeAlias = dict[Frame, list[frozenset[str]]]


def readers(frames: Sequence[Frame], given: Sequence[tuple[Frame, str]]) -> Readers:
    """What each reader needs of a frame, by frame, in the order of the readers.

    The last reader takes what is given out. Frames that nobody reads have one who needs
    no column.

    :param frames: each after those that it is made of; the first is the calls'.
    """
    root = frozenset(frames[0].names.values())
    found: Readers = {frame: [] for frame in frames}
    giving = dict.fromkeys(frame for frame, _ in given)
    for frame in giving:
        found[frame].append(frozenset(name for home, name in given if home is frame))
    for frame in idle(frames, giving):
        found[frame].append(frozenset())
    for frame in reversed(frames):
        needed = arriving(frame, found)
        match frame.source:
            case Continued(parent):
                found[parent].insert(0, needed)
            case Windowed(parent, lists, _, time):
                times = () if time is None else (time,)
                taken = {*(name for name, _ in lists), *times}
                found[parent].insert(0, needed & root | taken)
            case Joined(sides):
                for side in sides:
                    names = {name for name, _ in side.columns}
                    found[side.frame].insert(0, needed & root | names)
    return found


def idle(frames: Sequence[Frame], giving: Iterable[Frame]) -> list[Frame]:
    """Frames that nobody reads; what their functions do is wanted all the same."""
    read = {*giving, *(parent for frame in frames for parent in frame.parents)}
    return [frame for frame in frames if frame not in read]


def arriving(frame: Frame, found: Readers) -> frozenset[str]:
    """What the rows of a frame need to have when its calls begin."""
    names = {name for needed in found[frame] for name in needed}
    for applied in reversed(frame.calls):
        names.difference_update(applied.makes)
        names.update(applied.reads)
    return frozenset(names)
