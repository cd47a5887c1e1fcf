"""The parts of a chain that run in the same way, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from plugin_spec.operator import ModelOperator
from towhee.executors.fusion import Failed
from towhee.outcome import OperatorFailed
from towhee.pipelines import FunctionCall

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from towhee.bound import BoundOperator, BoundPipeline, LoadedStep
    from towhee.pipelines import Parallel


@dataclass(frozen=True, slots=True)
class Functions:
    """Python functions, to be fused."""

    calls: tuple[FunctionCall, ...]
    parallel: Parallel | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """What ``predict`` takes, and the row that it was made of."""

    origin: object
    """What came into the segment, to name in a failure."""
    row: object
    """What came to the model, to write its output into."""
    value: object
    key: Hashable = None
    """Rows with equal keys may share a batch."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Operators in a row, the last a model or none.

    ``alone``: they want one thread, the caller's; otherwise several may work on rows
    at once.
    """

    operators: tuple[LoadedStep, ...]
    model: LoadedStep | None = None
    alone: bool = False
    bound: tuple[BoundOperator, ...] = ()

    @property
    def batch_is_fixed(self) -> bool:
        """Whether the user, or a pipeline's author, chose the size of batches."""
        return self.bound[-1].options.get("batch_size") is not None

    @property
    def is_ragged(self) -> bool:
        """Whether not all rows may share a batch."""
        model = None if self.model is None else self.model.operator.model
        return (
            model is not None and type(model).batch_key is not ModelOperator.batch_key
        )

    @property
    def is_shared(self) -> bool:
        """Whether another run uses the same model meanwhile."""
        return self.model is not None and self.model.operator.is_shared

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
                prepared = step.prepare(value)
                return Prepared(origin, value, prepared, _batch_key(step, prepared))
        except (Exception, SystemExit) as error:  # noqa: BLE001  (the row's failure)
            return failed(step, value, error, row)
        return value

    def __str__(self) -> str:
        model = () if self.model is None else (self.model,)
        return " → ".join(map(str, (*self.operators, *model)))


Part: TypeAlias = Functions | Segment
_Pair: TypeAlias = "tuple[BoundOperator, LoadedStep]"


def parts(bound: BoundPipeline) -> Iterator[Part]:
    """Split a chain where the way of running changes; a model ends a segment."""
    calls: list[FunctionCall] = []
    operators: list[_Pair] = []
    for source, step in zip(bound.steps, bound.load(), strict=True):
        if isinstance(step, FunctionCall):
            yield from _segment(operators)
            if calls and calls[-1].parallel != step.parallel:
                yield from _functions(calls)
            calls.append(step)
            continue
        yield from _functions(calls)
        if operators and _is_concurrent(operators[-1][1]) != _is_concurrent(step):
            yield from _segment(operators)
        assert not isinstance(source, FunctionCall)
        operators.append((source, step))
        if step.operator.model is not None:
            yield from _segment(operators)
    yield from _functions(calls)
    yield from _segment(operators)


def _functions(calls: list[FunctionCall]) -> Iterator[Functions]:
    if calls:
        yield Functions(tuple(calls), calls[0].parallel)
        calls.clear()


def _segment(operators: list[_Pair]) -> Iterator[Segment]:
    if not operators:
        return
    bound, steps = zip(*operators, strict=True)
    operators.clear()
    alone = not _is_concurrent(steps[-1])
    if steps[-1].operator.model is None:
        yield Segment(steps, None, alone, bound)
    else:
        yield Segment(steps[:-1], steps[-1], alone, bound)


def _batch_key(step: LoadedStep, prepared: object) -> Hashable:
    assert step.operator.model is not None
    key = step.operator.model.batch_key(prepared)
    hash(key)  # What cannot be compared fails its row, here.
    return key


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
