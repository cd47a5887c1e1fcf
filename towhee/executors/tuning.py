"""The fastest plan for a segment, found on the first rows of the job itself.

Every plan gives the same results, so that what a measurement computes is given away
like anything else, and nothing is computed twice.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final

from towhee.executors.arrangements import arrange
from towhee.executors.chunks import Chunks

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from towhee.executors.arrangements import Work
    from towhee.executors.chunks import Numbered
    from towhee.executors.plan import Plan
    from towhee.executors.run import Run
    from towhee.executors.segments import Segment
    from towhee.executors.space import Space


_SECONDS: Final = 0.25
_MOST_ROWS: Final = 256
# What is simpler stays unless something else is clearly faster.
_CLEARLY: Final = 1.03
_FAR_BEHIND: Final = 0.75
"""What an arrangement reaches of the best whose best batch is not looked for."""
_FINALISTS: Final = 3
_ROUNDS: Final = 2
_LARGEST_BATCH: Final = 256
_STEPS_IN_VAIN: Final = 2
_SHORT_JOBS: Final = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows under a candidate: only those of its turns are timed."""

    warm_up: int
    turn: int
    turns: int
    under_way: int
    """Rows after those that are timed, which keep all of a plan's parts at work."""

    @property
    def rows(self) -> int:
        """How many there are, if the job has as many."""
        return self.fewest + (self.turns - 1) * self.turn

    @property
    def fewest(self) -> int:
        """With fewer nothing can be learned."""
        return self.warm_up + self.turn + self.under_way


class Search:
    """Tries one plan after another; goes on in the next run where a job is short."""

    def __init__(self, space: Space) -> None:
        self.turn = Lock()
        """Held by the run that searches."""
        self._space = space
        self._seen: dict[Plan, list[float | None]] = {}
        self._too_short = 0
        self._steps = self._explore()
        self.candidate: Plan | None = next(self._steps)

    @property
    def has_begun(self) -> bool:
        """Whether any plan was measured."""
        return bool(self._seen)

    @property
    def best(self) -> Plan:
        """The fastest so far."""
        return max(self._seen, key=self._rate, default=self._space.default)

    def sample(self) -> Sample:
        """The rows that the candidate has to be seen on."""
        space, plan = self._space, self.candidate or self.best
        wanted = min(_MOST_ROWS, _SECONDS * self._rate(self.best))
        turn = space.turn(plan)
        return Sample(
            warm_up=space.warm_up(plan),
            turn=turn,
            turns=max(1, round(wanted / turn)),
            under_way=space.under_way(plan),
        )

    def note(self, rate: float | None) -> None:
        """Take the candidate's rows a second, and go on to the next, if any.

        :param rate: 0 if it does not fit into memory, None if nobody can tell.
        """
        assert self.candidate is not None
        self._too_short = 0
        try:
            self.candidate = self._steps.send(rate)
        except StopIteration:
            self.candidate = None

    def pass_over(self) -> None:
        """Take a job that was too short for the candidate.

        After some in a row the next candidate's turn comes: jobs here are that short.
        """
        self._too_short += 1
        if self.has_begun and self._too_short == _SHORT_JOBS:
            self.note(None)

    def _explore(self) -> Generator[Plan, float | None, None]:
        space, plan = self._space, self._space.default
        yield plan  # The first rows bring in libraries and weights; they do not count.
        yield from self._see(plan)
        # Small batches do not show what larger ones gain by it.
        plan = space.keeping(plan)
        arrangements = [plan, *(move(plan) for move in space.arrangement_moves)]
        for each in arrangements:
            if each not in self._seen:
                yield from self._see(each)
        if not space.batch_is_fixed:
            arrangements.sort(key=self._rate, reverse=True)
            for each in arrangements:
                if self._rate(each) > _FAR_BEHIND * self._rate(arrangements[0]):
                    yield from self._climb(each)
        plan = max(self._seen, key=self._rate)
        for move in space.settings_moves:
            plan = yield from self._duel(plan, move(plan))
        finalists = sorted(self._seen, key=self._rate)[-_FINALISTS:]
        for finalist in finalists * _ROUNDS:
            yield from self._see(finalist)

    def _see(self, plan: Plan) -> Generator[Plan, float | None, None]:
        rate = yield plan
        self._seen.setdefault(plan, []).append(rate)

    def _rate(self, plan: Plan) -> float:
        """The best that was seen: others who use the machine only make it slower."""
        rates = [rate for rate in self._seen.get(plan, ()) if rate is not None]
        return min(rates, default=0.0) and max(rates)

    def _duel(self, plan: Plan, other: Plan) -> Generator[Plan, float | None, Plan]:
        if other not in self._seen:
            yield from self._see(other)
        return other if self._rate(other) > _CLEARLY * self._rate(plan) else plan

    def _climb(self, plan: Plan) -> Generator[Plan, float | None, Plan]:
        """Double the batch while that helps; if it never does, halve it.

        What does not help at once may do so at the next step: each step's gain can be
        too small to be clear, and that of both is not.
        """
        for factor in (2, 0.5):
            started, size, in_vain = plan, int(plan.batch_size * factor), 0
            while 1 <= size <= _LARGEST_BATCH and in_vain < _STEPS_IN_VAIN:
                plan = yield from self._duel(plan, plan.but(batch_size=size))
                in_vain = 0 if plan.batch_size == size else in_vain + 1
                size = int(size * factor)
            if plan is not started:
                break
        return plan


def tuned(segment: Segment, search: Search, rows: Iterable[Numbered], run: Run) -> Work:
    """Run the first blocks under the candidates, and the rest under the winner."""
    rows, is_first = iter(rows), True
    blocks = iter(Chunks(rows, lambda: search.sample().rows))
    while search.candidate is not None:
        sample = search.sample()
        block = next(blocks, None)
        if block is None:
            return
        if len(block) < sample.fewest or segment.is_shared:
            # Too few rows, or company: nothing can be learned here.
            yield from arrange(segment, search.best, block, run)
            if is_first and len(block) < sample.fewest:
                search.pass_over()
        else:
            results, rate = measure(segment, search.candidate, block, run, sample)
            yield results
            search.note(rate)
        is_first = False
    yield from arrange(segment, search.best, rows, run)


def measure(
    segment: Segment,
    plan: Plan,
    block: Sequence[Numbered],
    run: Run,
    sample: Sample,
) -> tuple[list[Numbered], float | None]:
    """Results, and rows a second while all of the plan's parts were at work.

    Where parts overlap, they do so from the first rows that are timed to the last: they
    have begun before, and have rows after. So the warm-up is then of the same run.
    """
    warm, last = sample.warm_up, len(block) - sample.under_way
    runs = [block] if sample.under_way else [block[:warm], block[warm:]]
    results: list[Numbered] = []
    first, start = 0, time.perf_counter()
    counted, seconds = 0, 0.0
    for rows in runs:
        with closing(arrange(segment, plan, rows, run)) as chunks:
            for chunk in chunks:
                results += chunk
                now = time.perf_counter()
                if len(results) <= warm:
                    first, start = len(results), now
                elif len(results) <= last:
                    counted, seconds = len(results) - first, now - start
    if not run.fit.allows(plan.batch_size):
        return results, 0.0
    return results, counted / seconds if seconds else None
