"""The fastest plan for a segment, found on the first rows of the job itself.

Every plan gives the same results, so that what a measurement computes is given away
like anything else, and nothing is computed twice.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from operator import methodcaller
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from towhee.executors.allocator import allocator
from towhee.executors.arrangements import arrange
from towhee.executors.chunks import Chunks
from towhee.executors.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from typing import TypeAlias

    from towhee.executors.arrangements import Work
    from towhee.executors.chunks import Numbered
    from towhee.executors.run import Run
    from towhee.executors.segments import Segment

    Move: TypeAlias = Callable[[Plan], Plan]

_SECONDS: Final = 0.25
_MOST_ROWS: Final = 256
_ROWS_AT_ONCE: Final = 4
# What is simpler stays unless something else is clearly faster.
_CLEARLY: Final = 1.03
_FINALISTS: Final = 3
_LARGEST_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
class Space:
    """What a model and the machine leave to choose."""

    workers: int
    batch_size: int
    batch_is_fixed: bool = False
    settings: Mapping[str, Sequence[object]] = field(default_factory=dict)
    can_share: bool = False
    """Whether several threads may predict at once."""
    can_keep: bool = False
    """Whether the allocator can be told to keep memory."""

    @classmethod
    def of(cls, segment: Segment, workers: int) -> Space:
        """The choices for a segment that ends with a model."""
        assert segment.model is not None
        model = segment.model.operator.model
        assert model is not None
        return cls(
            workers=1 if segment.alone else workers,
            batch_size=segment.model.operator.batch_size,
            batch_is_fixed=segment.batch_is_fixed,
            settings=model.settings(),
            can_share=model.concurrent_predict,
            can_keep=allocator.can_keep,
        )

    @property
    def default(self) -> Plan:
        """What is right, and fast enough, where nothing was measured."""
        first = {name: choices[0] for name, choices in self.settings.items()}
        return Plan(
            batch_size=self.batch_size,
            threads=self.workers,
            settings=tuple(first.items()),
        )

    @property
    def settings_moves(self) -> list[Move]:
        """One setting to another of its choices; and memory to be kept."""
        moves: list[Move] = [
            methodcaller("with_setting", name, choice)
            for name, choices in self.settings.items()
            for choice in choices
        ]
        return [*moves, *([_move(allocator="keep")] if self.can_keep else [])]

    @property
    def arrangement_moves(self) -> list[Move]:
        """Other arrangements; threads at work are never more than ``workers``."""
        if self.workers == 1:
            return []
        few = {} if self.batch_is_fixed else {"batch_size": _ROWS_AT_ONCE}
        rows = _move(arrangement="rows", model_threads=1, **few)
        overlaps = [
            _move(
                arrangement="overlap",
                batch_size=self.batch_size,
                threads=self.workers - predicting,
                model_threads=predicting,
            )
            for predicting in sorted({1, self.workers // 2})
        ]
        return [rows, *overlaps] if self.can_share else overlaps


def _move(**changes: Any) -> Move:  # noqa: ANN401  (fields of a plan)
    return methodcaller("but", **changes)


class Search:
    """Tries one plan after another; goes on in the next run where a job is short."""

    def __init__(self, space: Space) -> None:
        self.turn = Lock()
        """Held by the run that searches."""
        self._space = space
        self._rates: dict[Plan, float] = {}
        self._steps = self._explore()
        self.candidate: Plan | None = next(self._steps)

    @property
    def has_begun(self) -> bool:
        """Whether any plan was measured."""
        return bool(self._rates)

    @property
    def best(self) -> Plan:
        """The fastest so far."""
        rates = self._rates
        return max(rates, key=rates.__getitem__) if rates else self._space.default

    @property
    def rows(self) -> int:
        """How many rows the candidate has to be seen on; about as many as it needs."""
        plan = self.candidate or self.best
        wanted = min(_MOST_ROWS, _SECONDS * self._rates.get(self.best, 0.0))
        return warm_up(plan) + max(1, round(wanted / turn(plan))) * turn(plan)

    def note(self, rate: float) -> None:
        """Take the candidate's rows a second, and go on to the next, if any."""
        assert self.candidate is not None
        try:
            self.candidate = self._steps.send(rate)
        except StopIteration:
            self.candidate = None

    def _explore(self) -> Generator[Plan, float, None]:
        space, plan = self._space, self._space.default
        yield plan  # The first rows bring in libraries and weights; they do not count.
        self._rates[plan] = yield plan
        plan = yield from self._improve(plan, space.settings_moves)
        plan = yield from self._improve(plan, space.arrangement_moves)
        if not space.batch_is_fixed:
            plan = yield from self._climb(plan)
        # What suits one arrangement need not suit another.
        yield from self._improve(plan, space.settings_moves)
        for finalist in sorted(self._rates, key=self._rates.__getitem__)[-_FINALISTS:]:
            again = yield finalist
            self._rates[finalist] = (self._rates[finalist] + again) / 2

    def _improve(
        self, plan: Plan, moves: Iterable[Move]
    ) -> Generator[Plan, float, Plan]:
        for move in moves:
            plan = yield from self._duel(plan, move(plan))
        return plan

    def _duel(self, plan: Plan, other: Plan) -> Generator[Plan, float, Plan]:
        if other not in self._rates:
            self._rates[other] = yield other
        return other if self._rates[other] > _CLEARLY * self._rates[plan] else plan

    def _climb(self, plan: Plan) -> Generator[Plan, float, Plan]:
        """Double the batch while that helps; if it never does, halve it."""
        for factor in (2, 0.5):
            started, size = plan, int(plan.batch_size * factor)
            while 1 <= size <= _LARGEST_BATCH:
                plan = yield from self._duel(plan, plan.but(batch_size=size))
                if plan.batch_size != size:
                    break
                size = int(size * factor)
            if plan is not started:
                break
        return plan


def tuned(segment: Segment, search: Search, rows: Iterable[Numbered], run: Run) -> Work:
    """Run the first blocks under the candidates, and the rest under the winner."""
    rows = iter(rows)
    blocks = iter(Chunks(rows, lambda: search.rows))
    while search.candidate is not None:
        least = warm_up(search.candidate) + turn(search.candidate)
        block = next(blocks, None)
        if block is None:
            return
        if len(block) < least or segment.is_shared:
            # Too few rows, or company: nothing can be learned here.
            yield from arrange(segment, search.best, block, run)
            continue
        results, rate = measure(segment, search.candidate, block, run)
        yield results
        search.note(rate)
    yield from arrange(segment, search.best, rows, run)


def measure(
    segment: Segment, plan: Plan, block: Sequence[Numbered], run: Run
) -> tuple[list[Numbered], float]:
    """Results, and rows a second once the plan is warm."""
    warm = warm_up(plan)
    with closing(arrange(segment, plan, block[:warm], run)) as chunks:
        results = list(chain.from_iterable(chunks))
    timed = block[warm:]
    counted, start = len(timed), time.perf_counter()
    with closing(arrange(segment, plan, timed, run)) as chunks:
        for number, chunk in enumerate(chunks):
            results += chunk
            if number == 0 and plan.arrangement == "overlap" and len(chunk) < counted:
                # While the first batch is prepared there is nothing to overlap with.
                counted, start = counted - len(chunk), time.perf_counter()
    seconds = time.perf_counter() - start
    fits = plan.batch_size <= run.fit.largest
    return results, counted / seconds if fits else 0.0


def warm_up(plan: Plan) -> int:
    """Rows after which every thread has computed a batch of this size."""
    return plan.batch_size * (plan.threads if plan.arrangement == "rows" else 1)


def turn(plan: Plan) -> int:
    """Rows in which every part of a plan does its work once."""
    return warm_up(plan) * (2 if plan.arrangement == "overlap" else 1)
