"""The parts of a chain that run in the same way, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from towhee.executors.fusion import Failed
from towhee.outcome import OperatorFailed
from towhee.pipelines import FunctionCall

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from towhee.bound import LoadedStep


@dataclass(frozen=True, slots=True)
class Functions:
    """Python functions, to be fused."""

    calls: tuple[FunctionCall, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What ``predict`` takes, the row it was made of, and what that came from."""

    origin: object
    row: object
    value: object


@dataclass(frozen=True, slots=True)
class Segment:
    """Operators in a row, the last a model or none.

    ``alone``: they want one thread, the caller's; otherwise several may work on rows
    at once.
    """

    operators: tuple[LoadedStep, ...]
    model: LoadedStep | None = None
    alone: bool = False

    def prepare(self, row: int, value: Any) -> Any:  # noqa: ANN401  (a row's value)
        """Take a row up to the model, or to the end where there is none."""
        if type(value) is Failed:
            return value
        origin = value
        step: LoadedStep | None = None
        try:
            for step in self.operators:
                value = step.apply(value)
            if (step := self.model) is not None:
                return Prepared(origin, value, step.prepare(value))
        except (Exception, SystemExit) as error:  # noqa: BLE001  (the row's failure)
            return failed(step, value, error, row)
        return value

    def __str__(self) -> str:
        model = () if self.model is None else (self.model,)
        return " → ".join(map(str, (*self.operators, *model)))


Part: TypeAlias = Functions | Segment


def parts(steps: Iterable[FunctionCall | LoadedStep]) -> Iterator[Part]:
    """Split a chain where the way of running changes; a model ends a segment."""
    calls: list[FunctionCall] = []
    operators: list[LoadedStep] = []
    for step in steps:
        if isinstance(step, FunctionCall):
            yield from _segment(operators)
            calls.append(step)
            continue
        yield from _functions(calls)
        if operators and _is_concurrent(operators[-1]) != _is_concurrent(step):
            yield from _segment(operators)
        if step.operator.model is None:
            operators.append(step)
        else:
            yield from _segment(operators, step)
    yield from _functions(calls)
    yield from _segment(operators)


def _functions(calls: list[FunctionCall]) -> Iterator[Functions]:
    if calls:
        yield Functions(tuple(calls))
        calls.clear()


def _segment(
    operators: list[LoadedStep], model: LoadedStep | None = None
) -> Iterator[Segment]:
    if operators or model is not None:
        last = operators[-1] if model is None else model
        yield Segment(tuple(operators), model, alone=not _is_concurrent(last))
        operators.clear()


def _is_concurrent(step: LoadedStep) -> bool:
    return step.operator.concurrent


def failed(
    step: FunctionCall | LoadedStep | None,
    value: object,
    error: BaseException,
    row: int,
) -> Failed:
    """What stands in a failed row's place."""
    return Failed(OperatorFailed(str(step), value, error, row=row))
