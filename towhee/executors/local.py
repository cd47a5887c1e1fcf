"""The local engine: functions fused, operators under a plan."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeGuard

from towhee.executors import Executor, InvalidEngineOptions
from towhee.executors.arrangements import arrange
from towhee.executors.choosing import Chooser
from towhee.executors.explanation import Explanation, StagePlan
from towhee.executors.fusion import Failed, bare_values, fused_pairs, fused_values
from towhee.executors.machine import available_processors
from towhee.executors.parallel import Lasting, in_parallel
from towhee.executors.parallel import workers as lend_workers
from towhee.executors.plan import Plan
from towhee.executors.run import Run
from towhee.executors.segments import Functions, parts
from towhee.executors.tuning import tuned
from towhee.outcome import Outcome
from towhee.pipelines import FunctionCall
from towhee.row_numbers import numbered

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from towhee.bound import BoundPipeline
    from towhee.executors.fusion import Pairs
    from towhee.executors.recorder import Recorder
    from towhee.executors.segments import Segment
    from towhee.row_numbers import RowNumbers


class LocalExecutor(Executor):
    """Runs in this process.

    Rows are pulled and functions run in the caller's thread. Operators, and what else
    a model needs, run as a plan says, which decides who works when.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        plan: Plan | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        """Decide what is left to choose.

        :param workers: threads; as many as there are processors if not given.
        :param plan: for every operator, rather than one that is measured.
        :param recorder: notes what is done; slower, by microseconds a row.
        :raises InvalidEngineOptions: for other workers or plans.
        """
        if workers is not None and (type(workers) is not int or workers < 1):
            raise InvalidEngineOptions(
                f"workers is {workers!r}, and has to be a whole number, 1 or more"
            )
        if plan is not None and not isinstance(plan, Plan):
            raise InvalidEngineOptions(
                f"plan is {plan!r}, and has to be a `towhee.executors.plan.Plan`"
            )
        self._chooser = Chooser(workers or available_processors(), plan)
        self._recorder = recorder
        self._lend = lend_workers

    @contextmanager
    def lasting(self) -> Iterator[None]:
        """Let the threads and processes of functions stay from run to run."""
        with Lasting() as lasting:
            self._lend = lasting.workers
            try:
                yield
            finally:
                self._lend = lend_workers

    def explain(self, bound: BoundPipeline) -> Explanation:
        """How the next run would go, and why so; operators are loaded for it."""
        return Explanation(
            tuple(StagePlan.of(part, self._chooser) for part in parts(bound))
        )

    def run(
        self, bound: BoundPipeline, rows: Iterable[object], *, start: int = 0
    ) -> Iterator[Outcome]:
        """Give one outcome a row, in order."""
        for row, value in self.pairs(bound, numbered(rows, start)):
            if type(value) is Failed:
                yield Outcome(row, error=value.error)
            else:
                yield Outcome(row, value)

    def values(
        self, bound: BoundPipeline, rows: Iterable[object], *, start: int = 0
    ) -> Iterator[object]:
        """Give the values alone; functions without operators run as one flat loop."""
        return self._values(bound, rows, start)

    def noted_values(
        self, bound: BoundPipeline, rows: Iterable[object], numbers: RowNumbers
    ) -> Iterator[object]:
        """Give the values alone, as ``values`` does."""
        return self._values(bound, rows, 0, numbers)

    def _values(
        self,
        bound: BoundPipeline,
        rows: Iterable[object],
        start: int,
        numbers: RowNumbers | None = None,
    ) -> Iterator[object]:
        calls = [step for step in bound.steps if _is_plain(step)]
        if len(calls) == len(bound.steps) and self._recorder is None:
            return fused_values(calls, rows, start, numbers)
        pairs = self.pairs(bound, numbered(rows, start), strict=True)
        return bare_values(pairs, wrapped=bound.ends_safe, numbers=numbers)

    def pairs(
        self, bound: BoundPipeline, pairs: Pairs, *, strict: bool = False
    ) -> Generator[tuple[int, Any], None, None]:
        """Take numbered values, ``Failed`` among them, and give them as they become.

        What runs a part of a chain elsewhere hands rows over in this form.

        :param strict: raise what failed before failures were to be kept.
        """
        with ExitStack() as stack:
            if self._recorder is not None:
                pairs = self._recorder.source(pairs)
            for part in parts(bound):
                if isinstance(part, Functions):
                    apply = partial(self._apply, part, stack, strict=strict)
                    if self._recorder is None:
                        pairs = apply(pairs)
                    else:
                        pairs = self._recorder.functions(part, pairs, apply)
                else:
                    pairs = self._work(part, pairs, stack)
            yield from pairs

    def _apply(
        self, part: Functions, stack: ExitStack, pairs: Pairs, *, strict: bool
    ) -> Pairs:
        if part.parallel is None:
            return fused_pairs(part.calls, pairs, strict=strict)
        chunks = in_parallel(part.calls, part.parallel, pairs, self._lend)
        stack.callback(chunks.close)
        return chain.from_iterable(chunks)

    def _work(self, segment: Segment, pairs: Pairs, stack: ExitStack) -> Pairs:
        if segment.model is not None:
            stack.enter_context(segment.model.operator.in_use())
        choice, run = stack.enter_context(self._chooser.choose(segment)), Run()
        if self._recorder is not None:
            segment = self._recorder.watch(segment)
        if choice.search is None:
            chunks = arrange(segment, choice.plan, pairs, run)
        else:
            chunks = tuned(segment, choice.search, pairs, run)
        # Also when the caller stops early: no thread stays.
        stack.callback(chunks.close)
        return chain.from_iterable(chunks)


def _is_plain(step: object) -> TypeGuard[FunctionCall]:
    return isinstance(step, FunctionCall) and step.parallel is None
