"""Loops over rows, written out as Python for the functions that they apply."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from keyword import iskeyword
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Final, Protocol

from towhee.columns import Entity, copied, gathered, without_columns
from towhee.maybe import Empty, Some

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    from towhee.columns import Columns
    from towhee.outcome import OperatorFailed
    from towhee.pipelines import Kind

    Step: TypeAlias = tuple[Kind, Columns | None]

SETTLING: Final = ("drop_empty", "fill_empty")
"""Kinds of calls that settle what becomes of failures, and end a loop."""
_LEAVE: Final = "yield row, failed; continue"


class Failed:
    """Stands in a stream where a row's value would be."""

    __slots__ = ("error", "is_final")

    def __init__(self, error: OperatorFailed) -> None:
        self.error = error
        self.is_final = False
        """It failed before failures were to be kept: nothing settles it."""


class Loop(Protocol):
    """A loop."""

    def __call__(
        self,
        rows: Iterable[Any],
        fail: Callable[..., Any],
        *functions: Callable[..., Any],
    ) -> Iterator[Any]:
        """Give what becomes of rows; ``fail`` makes a failure of an exception."""


@dataclass(frozen=True, slots=True)
class Form:
    """How rows come into a loop and leave it."""

    numbered: bool = False
    """As pairs of number and value, failures as ``Failed``; otherwise as values."""
    strict: bool = False
    """Numbered, and what failed before ``safe`` is raised there."""
    arriving: bool = False
    """Values, among which there may be ``Empty``."""
    wrapped: bool = False
    """Values leave as ``Some`` and ``Empty``."""
    noted: bool = False
    """Values, before each of which ``note`` is told what is ``left`` of the source."""


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
def compiled(steps: tuple[Step, ...], form: Form) -> Loop:
    """The loop that applies ``steps`` to rows of that form."""
    functions = "".join(f"f{stage}, " for stage in range(len(steps)))
    functions += "note, left" if form.noted else ""
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
    loop: Loop = scope["loop"]
    return loop


def _body(steps: tuple[Step, ...], form: Form) -> Iterator[str]:
    kinds = [kind for kind, _ in steps]
    number = "row, " if form.numbered else ""
    settle = _settling(kinds, form, number)
    give = _giving(form)
    given = f"{give} {number}{'Some(result)' if form.wrapped else 'result'}"
    yield f" for {number}value in rows:"
    yield from _arriving(kinds, form, settle)
    safe, row = form.arriving, _Value()
    for stage, (kind, columns) in enumerate(steps):
        if kind in SETTLING:
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


def _giving(form: Form) -> str:
    """What comes before a result."""
    return "note(left()); yield" if form.noted else "yield"


def _arriving(kinds: list[Kind], form: Form, settle: str) -> Iterator[str]:
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


def _early(form: Form) -> str:
    """What becomes of a failure that ``safe`` comes too late for."""
    if form.strict:
        return "raise failed.error"
    return f"failed.is_final = True; {_LEAVE}"


def _settling(kinds: list[Kind], form: Form, number: str) -> str:
    """What becomes of a failure at the end of this loop."""
    empty = "Empty(failed.error)" if form.numbered else "failed"
    settled = f"f{len(kinds) - 1}({empty})"
    if kinds[-1] == "drop_empty":
        return f"{settled}; continue"
    if kinds[-1] == "fill_empty":
        return f"{_giving(form)} {number}{settled}; continue"
    return _LEAVE if form.numbered else f"{_giving(form)} failed; continue"


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
