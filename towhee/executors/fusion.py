"""Python functions of a chain, fused into one flat loop.

A loop that is written out costs what a generator expression costs, and still knows
which function failed on which value; nested generators or ``map`` objects do neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import compress, count
from keyword import iskeyword
from operator import length_hint
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Final, Protocol

from towhee.columns import Entity, copied, gathered, without_columns
from towhee.maybe import Empty, Some
from towhee.outcome import OperatorFailed
from towhee.pipelines import ends_safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeAlias

    from towhee.columns import Columns
    from towhee.pipelines import FunctionCall, Kind

    Pairs: TypeAlias = Iterator[tuple[int, Any]]
    Step: TypeAlias = tuple[Kind, Columns | None]

_SETTLING: Final = ("drop_empty", "fill_empty")
_LEAVE: Final = "yield row, failed; continue"


class Failed:
    """Stands in a stream where a row's value would be."""

    __slots__ = ("error", "is_final")

    def __init__(self, error: OperatorFailed) -> None:
        self.error = error
        self.is_final = False
        """It failed before failures were to be kept: nothing settles it."""


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

        loop = _compile(
            _steps(here),
            _Form(
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

        loop = _compile(_steps(here), _Form(numbered=True, strict=strict))
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
    last = {"flat_map", *_SETTLING}
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


@dataclass(frozen=True, slots=True)
class _Form:
    """How rows come into a loop and leave it."""

    numbered: bool = False
    """As pairs of number and value, failures as ``Failed``; otherwise as values."""
    strict: bool = False
    """Numbered, and what failed before ``safe`` is raised there."""
    arriving: bool = False
    """Values, among which there may be ``Empty``."""
    wrapped: bool = False
    """Values leave as ``Some`` and ``Empty``."""


@dataclass(frozen=True, slots=True)
class _Value:
    """What is known of ``value`` while a loop is written."""

    has_columns: bool = False
    is_ours: bool = False
    """Nobody else has seen it, so that columns may be written into it."""

    def after(self, kind: Kind, columns: Columns | None) -> _Value:
        if kind != "filter":
            # What a function made may be anybody's; a copy with its columns is ours.
            return _Value(has_columns=bool(columns), is_ours=bool(columns))
        return _Value(
            has_columns=self.has_columns or bool(columns),
            # Without columns, the function saw the row, and may have kept it.
            is_ours=self.is_ours and bool(columns),
        )


@lru_cache(512)
def _compile(steps: tuple[Step, ...], form: _Form) -> _Loop:
    functions = "".join(f"f{stage}, " for stage in range(len(steps)))
    lines = [f"def loop(rows, fail, {functions}):", *_body(steps, form)]
    scope: dict[str, Any] = {
        "Empty": Empty,
        "Entity": Entity,
        "Failed": Failed,
        "Generator": GeneratorType,
        "Some": Some,
        "copied": copied,
        "gathered": gathered,
        "without_columns": without_columns,
    }
    exec("\n".join(lines), scope)  # noqa: S102  (our own words; names are quoted)
    loop: _Loop = scope["loop"]
    return loop


def _body(steps: tuple[Step, ...], form: _Form) -> Iterator[str]:
    kinds = [kind for kind, _ in steps]
    number = "row, " if form.numbered else ""
    settle = _settling(kinds, form, number)
    given = f"yield {number}{'Some(result)' if form.wrapped else 'result'}"
    yield f" for {number}value in rows:"
    yield from _arriving(kinds, form, settle)
    safe, row = form.arriving, _Value()
    for stage, (kind, columns) in enumerate(steps):
        if kind in _SETTLING:
            break
        if kind in {"safe", "resume"}:
            safe = True
            continue
        yield "  try:"
        yield from _applied(stage, kind, columns, given, row)
        yield "  except Exception as error:"
        failed = f"fail({stage}, {number}value, error)"
        if form.numbered and "safe" in kinds[stage:]:
            yield f"   failed = {failed}; {_early(form)}"
        elif form.numbered:
            yield f"   failed = {failed}; {settle}"
        elif safe:
            yield f"   failed = Empty({failed}); {settle}"
        else:
            yield f"   raise {failed} from error"
        row = row.after(kind, columns)
    if kinds[-1] != "flat_map":
        yield f"  {given.replace('result', 'value')}"


def _arriving(kinds: list[Kind], form: _Form, settle: str) -> Iterator[str]:
    """The lines for rows that come as failures, or wrapped."""
    if form.numbered:
        yield "  if type(value) is Failed:"
        yield "   failed = value"
        if "safe" in kinds:
            yield f"   {_early(form)}"
        else:
            yield f"   if failed.is_final: {_LEAVE}"
            yield f"   {settle}"
    elif form.arriving:
        yield f"  if type(value) is Empty: failed = value; {settle}"
    if "resume" in kinds:
        failed = "Failed(value.error)" if form.numbered else "value"
        yield f"  if type(value) is Empty: failed = {failed}; {settle}"
        yield "  if type(value) is Some: value = value.value"


def _early(form: _Form) -> str:
    """What becomes of a failure that ``safe`` comes too late for."""
    if form.strict:
        return "raise failed.error"
    return f"failed.is_final = True; {_LEAVE}"


def _settling(kinds: list[Kind], form: _Form, number: str) -> str:
    """What becomes of a failure at the end of this loop."""
    empty = "Empty(failed.error)" if form.numbered else "failed"
    settled = f"f{len(kinds) - 1}({empty})"
    if kinds[-1] == "drop_empty":
        return f"{settled}; continue"
    if kinds[-1] == "fill_empty":
        return f"yield {number}{settled}; continue"
    return _LEAVE if form.numbered else "yield failed; continue"


def _applied(
    stage: int, kind: Kind, columns: Columns | None, leave: str, row: _Value
) -> Iterator[str]:
    """The lines that apply one function.

    :param leave: what gives a result of ``flat_map`` away.
    """
    if columns and not row.has_columns:
        missing = f"without_columns(value, {columns.inputs[0]!r})"
        yield f"   if not isinstance(value, Entity): raise {missing}"
    inputs = map(_read, columns.inputs) if columns else ["value"]
    call = f"f{stage}({', '.join(inputs)})"
    targets = ", ".join(map(_written, columns.outputs)) if columns else ""
    if kind == "filter":
        yield f"   if not {call}: continue"
    elif kind == "flat_map":
        yield f"   for result in {call}:"
        if columns:
            yield "    whole, value = value, copied(value)"
            yield f"    {targets} = result"
            yield f"    {leave.replace('result', 'value')}; value = whole"
        else:
            yield f"    {leave}"
    elif columns:
        yield f"   result = {call}"
        if columns.gathers:
            several = f"result = gathered(result, {len(columns.outputs)})"
            yield f"   if type(result) is Generator: {several}"
        yield f"   {'' if row.is_ours else 'value = copied(value); '}{targets} = result"
    else:
        yield f"   value = {call}"


def _read(name: str) -> str:
    return f"value.{name}" if _is_plain(name) else f"value[{name!r}]"


def _written(name: str) -> str:
    return f"value.{name}" if _is_plain(name) else f"value.__dict__[{name!r}]"


def _is_plain(name: str) -> bool:
    """Whether an attribute of that name is the column, in ASCII and in Python."""
    taken = name.startswith("__") or hasattr(Entity, name) or iskeyword(name)
    return name.isidentifier() and name.isascii() and not taken
