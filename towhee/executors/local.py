"""The local engine: functions fused, decoding in threads, models in batches."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, Final, Literal

from plugin_spec.errors import InvalidOperator
from towhee.executors import Executor
from towhee.executors.fusion import Failed, fused_pairs, fused_values
from towhee.loaded_operator import LoadedOperator
from towhee.outcome import OperatorFailed, Outcome
from towhee.pipelines import FunctionCall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from towhee.bound import BoundPipeline
    from towhee.executors.fusion import Pairs

_MOST_WORKERS: Final = 8


@dataclass(frozen=True, slots=True)
class _Stage:
    """What is done to a row, and in which way; a model is two stages."""

    kind: Literal["function", "inline", "threads", "batch"]
    step: FunctionCall | LoadedOperator
    apply: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What ``predict`` takes, and what it was made of, to name in a failure."""

    origin: object
    value: object


class LocalExecutor(Executor):
    """Runs in this process.

    Rows are pulled, functions run and models predict in the caller's thread; meanwhile
    a few others decode and prepare the rows that come next.
    """

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or min(_MOST_WORKERS, os.cpu_count() or 1)

    def run(
        self, bound: BoundPipeline, rows: Iterable[object], *, start: int = 0
    ) -> Iterator[Outcome]:
        """Give one outcome a row, in order."""
        for row, value in self._pairs(bound, rows, start):
            if type(value) is Failed:
                yield Outcome(row, error=value.error)
            else:
                yield Outcome(row, value)

    def values(
        self, bound: BoundPipeline, rows: Iterable[object], *, start: int = 0
    ) -> Iterator[object]:
        """Give the values alone; functions without operators run as one flat loop."""
        calls = [step for step in bound.steps if isinstance(step, FunctionCall)]
        if len(calls) == len(bound.steps):
            return fused_values(calls, rows, start)
        return super().values(bound, rows, start=start)

    def _pairs(
        self, bound: BoundPipeline, rows: Iterable[object], start: int
    ) -> Iterator[tuple[int, Any]]:
        stages = [stage for step in bound.load() for stage in _stages(step)]
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="towhee")
        try:
            yield from self._connect(stages, enumerate(rows, start), pool)
        finally:
            # Also when the caller stops early or is interrupted: no thread stays.
            pool.shutdown(cancel_futures=True)

    def _connect(
        self, stages: Sequence[_Stage], pairs: Pairs, pool: ThreadPoolExecutor
    ) -> Pairs:
        for kind, grouped in groupby(stages, key=lambda stage: stage.kind):
            group = tuple(grouped)
            last = group[-1].step
            if kind == "function":
                pairs = fused_pairs([stage.step for stage in group], pairs)  # type: ignore[misc]  # the kind says so
            elif kind == "inline":
                pairs = _inline(group, pairs)
            elif kind == "threads":
                ahead = 2 * max(self._workers, getattr(last, "batch_size", 1))
                pairs = _threaded(group, pairs, pool, ahead)
            else:
                assert isinstance(last, LoadedOperator)
                pairs = _batched(last, pairs)
        return pairs


def _stages(step: FunctionCall | LoadedOperator) -> Iterator[_Stage]:
    if isinstance(step, FunctionCall):
        yield _Stage("function", step, step.function)
        return
    kind: Literal["threads", "inline"] = "threads" if step.concurrent else "inline"
    if step.model is None:
        yield _Stage(kind, step, step.apply)
    else:
        yield _Stage(kind, step, step.prepare)
        yield _Stage("batch", step, step.predict)


def _inline(stages: Sequence[_Stage], pairs: Pairs) -> Pairs:
    for row, value in pairs:
        failed = type(value) is Failed
        yield row, value if failed else _attempt(stages, row, value)


def _threaded(
    stages: Sequence[_Stage], pairs: Pairs, pool: ThreadPoolExecutor, ahead: int
) -> Pairs:
    """Process up to ``ahead`` rows at once; the order stays."""
    pending: deque[tuple[int, Failed | Future[Any]]] = deque()
    for row, value in pairs:
        failed = type(value) is Failed
        task = value if failed else pool.submit(_attempt, stages, row, value)
        pending.append((row, task))
        if len(pending) >= ahead:
            yield _settled(*pending.popleft())
    while pending:
        yield _settled(*pending.popleft())


def _settled(row: int, task: Failed | Future[Any]) -> tuple[int, Any]:
    return row, task.result() if isinstance(task, Future) else task


def _attempt(stages: Sequence[_Stage], row: int, value: Any) -> Any:  # noqa: ANN401
    origin = value
    for stage in stages:
        try:
            value = stage.apply(value)
        except (Exception, SystemExit) as error:  # noqa: BLE001  (the row's failure)
            return _failed(stage.step, value, error, row)
    is_prepared = getattr(stages[-1].step, "model", None) is not None
    return _Prepared(origin, value) if is_prepared else value


def _batched(operator: LoadedOperator, pairs: Pairs) -> Pairs:
    """Predict as many rows at once as the model wants, failed ones among them."""
    while batch := list(islice(pairs, operator.batch_size)):
        good = [(row, value) for row, value in batch if type(value) is _Prepared]
        outputs = iter(_predict(operator, good) if good else ())
        for row, value in batch:
            yield row, next(outputs) if type(value) is _Prepared else value


def _predict(
    operator: LoadedOperator, batch: Sequence[tuple[int, _Prepared]]
) -> list[Any]:
    try:
        return operator.predict([prepared.value for _, prepared in batch])
    except (Exception, SystemExit) as error:  # noqa: BLE001  (the rows' failure)
        # One row may have spoilt it for all; a broken operator did not meet a bad row.
        if len(batch) > 1 and not isinstance(error, InvalidOperator):
            return [output for pair in batch for output in _predict(operator, [pair])]
        return [
            _failed(operator, prepared.origin, error, row) for row, prepared in batch
        ]


def _failed(
    step: FunctionCall | LoadedOperator, value: object, error: BaseException, row: int
) -> Failed:
    return Failed(OperatorFailed(str(step), value, error, row=row))
