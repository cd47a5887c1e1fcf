"""Python functions of a chain, fused into one flat loop.

A loop that is written out costs what a generator expression costs, and still knows
which function failed on which value; nested generators or ``map`` objects do neither.
"""

from __future__ import annotations

from contextlib import closing
from itertools import compress, count
from operator import length_hint
from typing import TYPE_CHECKING, Any

from towhee.executors.loops import SETTLING, Failed, Form, compiled
from towhee.maybe import Empty, Some
from towhee.outcome import OperatorFailed
from towhee.pipelines import ends_safe
from towhee.row_numbers import NumberedRows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from towhee.executors.loops import Step
    from towhee.pipelines import FunctionCall
    from towhee.row_numbers import RowNumbers

    Pairs: TypeAlias = Iterator[tuple[int, Any]]

__all__ = ["Failed", "bare_values", "fused_pairs", "fused_values"]


def fused_values(
    calls: Sequence[FunctionCall],
    rows: Iterable[object],
    start: int,
    numbers: RowNumbers | None = None,
) -> Iterator[object]:
    """Apply ``calls`` to each row; no object but the values is made for a row.

    :param start: the number of the first row.
    :param numbers: take that of each row that comes out.
    :raises OperatorFailed: on the first row that fails, unless failures are kept.
    """
    own: RowNumbers | None = None
    if isinstance(rows, NumberedRows):
        own, rows = rows.numbers, rows.rows
    iterator, position, left = _counted(rows)
    if numbers is not None:
        origin = start if own is None else 0
        numbers.last, numbers.source = origin + position() + left(), own
    for first, last in _loops(calls):
        here = calls[first:last]

        def fail(
            stage: int,
            value: object,
            error: Exception,
            *,
            here: Sequence[FunctionCall] = here,
        ) -> OperatorFailed:
            row = start + position() if own is None else own[position()]
            return _failure(here[stage], value, error, row)

        is_last = last == len(calls)
        is_noted = is_last and numbers is not None
        loop = compiled(
            _steps(here),
            Form(
                arriving=ends_safe(calls[:first]),
                wrapped=is_last and ends_safe(calls),
                noted=is_noted,
            ),
        )
        noting = (numbers.marks.append, left) if is_noted and numbers else ()
        iterator = loop(iterator, fail, *(call.function for call in here), *noting)
    return iterator


def fused_pairs(
    calls: Sequence[FunctionCall], pairs: Pairs, *, strict: bool = False
) -> Pairs:
    """Apply ``calls`` to numbered values; a failure takes its row's place.

    :param strict: raise what failed before failures were to be kept.
    """
    for first, last in _loops(calls):
        here = calls[first:last]

        def fail(
            stage: int,
            row: int,
            value: object,
            error: Exception,
            *,
            here: Sequence[FunctionCall] = here,
        ) -> Failed:
            return Failed(_failure(here[stage], value, error, row))

        loop = compiled(_steps(here), Form(numbered=True, strict=strict))
        pairs = loop(pairs, fail, *(call.function for call in here))
    return pairs


def bare_values(
    pairs: Generator[tuple[int, Any], None, None],
    *,
    wrapped: bool,
    numbers: RowNumbers | None = None,
) -> Iterator[object]:
    """The values alone.

    :param wrapped: give ``Some`` and ``Empty``; otherwise what failed is raised.
    :param numbers: take that of each row.
    """
    # A traceback keeps this frame: what works for the pairs must not live as long.
    with closing(pairs):
        for row, value in pairs:
            if numbers is not None:
                numbers.note(row)
            if type(value) is not Failed:
                yield Some(value) if wrapped else value
            elif wrapped:
                yield Empty(value.error)
            else:
                raise value.error


def _failure(
    call: FunctionCall, value: object, error: Exception, row: int
) -> OperatorFailed:
    return OperatorFailed(str(call), value, error, row=row)


def _steps(calls: Iterable[FunctionCall]) -> tuple[Step, ...]:
    return tuple((call.kind, call.columns) for call in calls)


def _loops(calls: Sequence[FunctionCall]) -> list[tuple[int, int]]:
    """Where loops begin and end: with what gives several rows, or settles failures."""
    last = {"flat_map", *SETTLING}
    ends = [number for number, call in enumerate(calls, 1) if call.kind in last]
    if calls and len(calls) not in ends:
        ends.append(len(calls))
    return list(zip([0, *ends], ends, strict=False))


def _counted(
    rows: Iterable[object],
) -> tuple[Iterator[object], Callable[[], int], Callable[[], int]]:
    """An iterator, the position of the row it gave last, and one that falls with it.

    Positions and what falls have the same sum whenever they are asked for.
    """
    if type(rows) in {list, range, tuple}:
        iterator: Any = iter(rows)
        # These know how much is left, so that counting is free.
        total = length_hint(iterator)
        left = iterator.__length_hint__
        return iterator, lambda: total - left() - 1, left
    counter, asked = count(1), count(2)

    def position() -> int:
        # Asking counts too, so that what was asked before is taken off.
        return next(counter) - next(asked)

    # A positive number is true, so that every row passes and is counted on the way.
    return compress(rows, counter), position, lambda: -position()
