"""Python functions of a chain, fused into one flat loop.

A loop that is written out costs what a generator expression costs, and still knows
which function failed on which value; nested generators or ``map`` objects do neither.
"""

from __future__ import annotations

from functools import cache
from itertools import compress, count
from operator import length_hint
from typing import TYPE_CHECKING, Any, Protocol

from towhee.outcome import OperatorFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from towhee.pipelines import FunctionCall

    Pairs: TypeAlias = Iterator[tuple[int, Any]]


class Failed:
    """Stands in a stream where a row's value would be."""

    __slots__ = ("error",)

    def __init__(self, error: OperatorFailed) -> None:
        self.error = error


class _Loop(Protocol):
    def __call__(
        self,
        rows: Iterable[Any],
        fail: Callable[..., Any],
        *functions: Callable[[Any], Any],
    ) -> Iterator[Any]: ...


def fused_values(
    calls: Sequence[FunctionCall], rows: Iterable[object], start: int
) -> Iterator[object]:
    """Apply ``calls`` to each row; no object but the values is made for a row.

    :param start: the number of the first row.
    :raises OperatorFailed: on the first row that fails.
    """
    iterator, position = _counted(rows)

    def fail(stage: int, value: object, error: Exception) -> None:
        row = start + position()
        raise OperatorFailed(str(calls[stage]), value, error, row=row) from error

    loop = _compile(tuple(call.kind for call in calls), numbered=False)
    return loop(iterator, fail, *(call.function for call in calls))


def fused_pairs(calls: Sequence[FunctionCall], pairs: Pairs) -> Pairs:
    """Apply ``calls`` to numbered values; a failure takes its row's place."""

    def fail(stage: int, row: int, value: object, error: Exception) -> Failed:
        return Failed(OperatorFailed(str(calls[stage]), value, error, row=row))

    loop = _compile(tuple(call.kind for call in calls), numbered=True)
    return loop(pairs, fail, *(call.function for call in calls))


def _counted(rows: Iterable[object]) -> tuple[Iterator[object], Callable[[], int]]:
    """An iterator, and the position of the row it gave last; asked for at most once."""
    if type(rows) in {list, range, tuple}:
        iterator = iter(rows)
        # These know how much is left, so that counting is free.
        total = length_hint(iterator)
        return iterator, lambda: total - length_hint(iterator) - 1
    counter = count(1)
    # A positive number is true, so that every row passes and is counted on the way.
    return compress(rows, counter), lambda: next(counter) - 2


@cache
def _compile(kinds: tuple[str, ...], *, numbered: bool) -> _Loop:
    item, row = ("row, value", "row, ") if numbered else ("value", "")
    functions = "".join(f"f{stage}, " for stage in range(len(kinds)))
    lines = [f"def loop(rows, fail, {functions}):", f" for {item} in rows:"]
    if numbered:
        lines.append("  if type(value) is Failed: yield row, value; continue")
    for stage, kind in enumerate(kinds):
        call = f"f{stage}(value)"
        lines += [
            "  try:",
            f"   value = {call}" if kind == "map" else f"   if not {call}: continue",
            "  except Exception as error:",
            f"   yield {row}fail({stage}, {row}value, error); continue",
        ]
    lines.append(f"  yield {item}")
    scope: dict[str, Any] = {"Failed": Failed}
    exec("\n".join(lines), scope)  # noqa: S102  (made of our own words, no input)
    loop: _Loop = scope["loop"]
    return loop
