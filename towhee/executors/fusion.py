"""Python functions of a chain, fused into one flat loop.

A loop that is written out costs what a generator expression costs, and still knows
which function failed on which value; nested generators or ``map`` objects do neither.
"""

from __future__ import annotations

from itertools import compress, count
from operator import length_hint
from typing import TYPE_CHECKING, Any

from towhee.executors.loops import SETTLING, Failed, Form, compiled
from towhee.outcome import OperatorFailed
from towhee.pipelines import ends_safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from towhee.executors.loops import Step
    from towhee.pipelines import FunctionCall

    Pairs: TypeAlias = Iterator[tuple[int, Any]]

__all__ = ["Failed", "fused_pairs", "fused_values"]


def fused_values(
    calls: Sequence[FunctionCall], rows: Iterable[object], start: int
) -> Iterator[object]:
    """Apply ``calls`` to each row; no object but the values is made for a row.

    :param start: the number of the first row.
    :raises OperatorFailed: on the first row that fails, unless failures are kept.
    """
    iterator, position = _counted(rows)
    for first, last in _loops(calls):
        here = calls[first:last]

        def fail(
            stage: int,
            value: object,
            error: Exception,
            *,
            here: Sequence[FunctionCall] = here,
        ) -> OperatorFailed:
            return _failure(here[stage], value, error, start + position())

        loop = compiled(
            _steps(here),
            Form(
                arriving=ends_safe(calls[:first]),
                wrapped=last == len(calls) and ends_safe(calls),
            ),
        )
        iterator = loop(iterator, fail, *(call.function for call in here))
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


def _counted(rows: Iterable[object]) -> tuple[Iterator[object], Callable[[], int]]:
    """An iterator, and the position of the row it gave last."""
    if type(rows) in {list, range, tuple}:
        iterator = iter(rows)
        # These know how much is left, so that counting is free.
        total = length_hint(iterator)
        return iterator, lambda: total - length_hint(iterator) - 1
    counter, asked = count(1), count(2)
    # A positive number is true, so that every row passes and is counted on the way.
    # Asking counts too, so that what was asked before is taken off.
    return compress(rows, counter), lambda: next(counter) - next(asked)
