"""Rows on their way: which call they belong to, and how frames are put together."""

from __future__ import annotations

from collections import deque
from itertools import chain, groupby, repeat
from math import inf
from numbers import Real
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.errors import HubError
from towhee.columns import Entity
from towhee.pipe.data_queue import NOTHING
from towhee.pipe.windows import windows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from towhee.pipe.frames import Joined, Windowed

    Values: TypeAlias = tuple[Any, ...]

CALL: Final = " call"
"""The column in which a row has the number of its call."""


class UnorderedTime(HubError, ValueError):
    """A row's time is none, or endless, or earlier than that of the row before it."""


class Begun:
    """The rows that calls begin with, and how many have begun."""

    def __init__(self, names: tuple[str, ...], calls: Iterable[Sequence[Any]]) -> None:
        self._names = names
        self._calls = calls
        self.count = 0

    def __iter__(self) -> Iterator[Entity]:
        for number, values in enumerate(self._calls):
            columns = dict(zip(self._names, values, strict=True))
            columns[CALL] = number
            self.count = number + 1
            yield _row(columns)


class Shared:
    """Rows with several readers, who get the columns that they need.

    Rows that one reader is ahead of another are kept for the other.
    """

    def __init__(
        self, rows: Iterator[Entity], readers: Sequence[Collection[str]]
    ) -> None:
        self._rows = rows
        self._needs = [(*names, CALL) for names in readers]
        self._waiting: list[deque[Entity]] = [deque() for _ in readers]

    def readers(self) -> Iterator[Iterator[Entity]]:
        """The rows, for each of the readers."""
        return map(self._reader, self._waiting)

    def _reader(self, waiting: deque[Entity]) -> Iterator[Entity]:
        while waiting or self._pull():
            yield waiting.popleft()

    def _pull(self) -> bool:
        row = next(self._rows, None)
        if row is None:
            return False
        columns = row.__dict__
        for names, waiting in zip(self._needs, self._waiting, strict=True):
            waiting.append(_row({name: columns[name] for name in names}))
        return True


def picker(names: Sequence[str]) -> Callable[[Entity], Values]:
    """What takes the values of some columns out of a row."""
    if not names:
        return lambda _: ()
    if len(names) == 1:
        name = names[0]
        return lambda row: (row.__dict__[name],)
    pick = itemgetter(*names)
    return lambda row: pick(row.__dict__)


def each_call(
    readers: Sequence[tuple[Iterator[Entity], Sequence[str]]], begun: Begun
) -> Iterator[tuple[list[Values], ...]]:
    """The rows of each call, from every reader; a call may have none.

    :param readers: rows, and the columns whose values are kept until a call's are all
        there.
    """
    grouped = [_grouped(rows, picker(names)) for rows, names in readers]
    for call, groups in enumerate(zip(*grouped, strict=True)):
        # Whoever gives no row of a call has seen a later one, or the end of all.
        if call >= begun.count:
            return
        yield groups


def aligned(
    groups: Sequence[list[Values]], queues: Sequence[bool]
) -> Iterator[tuple[Values | None, ...]]:
    """Rows of one call side by side, None where a queue has no more.

    Scalars are repeated; where one is missing there are no rows.
    """
    pairs = list(zip(groups, queues, strict=True))
    if not all(group or queue for group, queue in pairs):
        return iter(())
    size = max((len(group) for group, queue in pairs if queue), default=1)
    columns = (
        chain(group, repeat(None, size - len(group)))
        if queue
        else repeat(group[0], size)
        for group, queue in pairs
    )
    return zip(*columns, strict=True)


def windowed(
    rows: Iterator[Entity], source: Windowed, carried: Sequence[str]
) -> Iterator[Entity]:
    """One row a window, with lists of what the rows in it have.

    :param carried: columns of the call, which go with it.
    """
    pick = picker([name for name, _ in source.lists])
    carry = (*carried, CALL)
    for _, group in groupby(rows, lambda row: row.__dict__[CALL]):
        first = next(group)
        columns = {name: first.__dict__[name] for name in carry}
        for held in _held(chain((first,), group), source, pick):
            lists = (
                [value for value in values if value is not NOTHING]
                for values in zip(*held, strict=True)
            )
            made = zip((target for _, target in source.lists), lists, strict=True)
            yield _row({**columns, **dict(made)})


def joined(
    readers: Sequence[Iterator[Entity]],
    source: Joined,
    carried: Sequence[str],
    begun: Begun,
) -> Iterator[Entity]:
    """Rows of several frames as one row, with ``NOTHING`` where there is none."""
    names = [[*carried, *(name for name, _ in side.columns)] for side in source.sides]
    queues = [side.frame.is_queue for side in source.sides]
    groups = each_call(list(zip(readers, names, strict=True)), begun)
    for call, group in enumerate(groups):
        for parts in aligned(group, queues):
            if source.whole and None in parts:
                continue
            columns: dict[str, Any] = {CALL: call}
            for part, side in zip(parts, source.sides, strict=True):
                made = [target for _, target in side.columns]
                if part is None:
                    columns.update(dict.fromkeys(made, NOTHING))
                else:
                    columns.update(zip((*carried, *made), part, strict=True))
            yield _row(columns)


def _held(
    rows: Iterable[Entity], source: Windowed, pick: Callable[[Entity], Values]
) -> Iterable[list[Values]]:
    """The values of the rows in each window."""
    if source.window is None:
        return [list(map(pick, rows))]
    size, step, time = source.window.size, source.window.step, source.time
    if time is None:
        return windows(enumerate(map(pick, rows)), size, step)
    timed = ((row[time], pick(row)) for row in rows if row[time] is not NOTHING)
    return windows(_ascending(timed), size * 1000, step * 1000)


def _ascending(timed: Iterable[tuple[Any, Values]]) -> Iterator[tuple[float, Values]]:
    last: float = 0
    for time, values in timed:
        # Not a number is in no order; what comes late, or never, is in no window.
        is_number = isinstance(time, Real)
        if not is_number or not last <= time < inf:
            raise UnorderedTime(
                f"`time_window` got the time {time!r} after {last!r}",
                hint="Give milliseconds, 0 or more and finite, in ascending order",
            )
        last = time
        yield time, values


def _grouped(
    rows: Iterator[Entity], pick: Callable[[Entity], Values]
) -> Iterator[list[Values]]:
    row, call = next(rows, None), 0
    while True:
        group = []
        while row is not None and row.__dict__[CALL] == call:
            group.append(pick(row))
            row = next(rows, None)
        yield group
        call += 1


def _row(columns: dict[str, Any]) -> Entity:
    row = Entity.__new__(Entity)
    row.__dict__ = columns
    return row
