"""A segment's rows under a plan: who works when, and where rows are handed over.

Rows are handed over in chunks, never one by one. Each function here gives lists of
rows in order and reads a bounded number of rows ahead.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from plugin_spec.pool import threads
from towhee.executors.allocator import allocator
from towhee.executors.batching import Batches
from towhee.executors.chunks import Chunks
from towhee.executors.threads import in_order, share

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from typing import TypeAlias

    from towhee.executors.chunks import Numbered
    from towhee.executors.plan import Plan
    from towhee.executors.run import Run
    from towhee.executors.segments import Segment

    Work: TypeAlias = Generator[list[Numbered], None, None]

_SHORTEST_CHUNK = 0.002
_LARGEST_CHUNK = 1024


def arrange(segment: Segment, plan: Plan, rows: Iterable[Numbered], run: Run) -> Work:
    """Take rows through a segment; a failure takes its row's place."""
    if segment.model is None:
        return (
            _alone(segment, rows) if segment.alone else _threaded(segment, plan, rows)
        )
    allocator.use(plan.allocator)
    if plan.settings:
        segment.model.operator.configure(dict(plan.settings))
    batches = Batches(segment, plan, run.fit)
    if segment.alone or plan.arrangement == "phases":
        return _phases(segment, plan, batches, rows)
    arrangement = _rows if plan.arrangement == "rows" else _overlap
    return arrangement(segment, plan, batches, rows)


def _alone(segment: Segment, rows: Iterable[Numbered]) -> Work:
    for row, value in rows:
        yield [(row, segment.prepare(row, value))]


def _threaded(segment: Segment, plan: Plan, rows: Iterable[Numbered]) -> Work:
    """Chunks grow until handing one over costs little beside its work."""
    size = 1

    def work(chunk: list[Numbered]) -> list[Numbered]:
        nonlocal size
        start = time.perf_counter()
        results = [(row, segment.prepare(row, value)) for row, value in chunk]
        if time.perf_counter() - start < _SHORTEST_CHUNK:
            size = min(2 * len(chunk), _LARGEST_CHUNK)
        return results

    with threads(plan.threads) as pool:
        chunks = Chunks(rows, lambda: size)
        yield from in_order(pool, work, chunks, ahead=2 * plan.threads)


def _rows(
    segment: Segment, plan: Plan, batches: Batches, rows: Iterable[Numbered]
) -> Work:
    """Each thread carries chunks from end to end."""

    def work(chunk: list[Numbered]) -> list[Numbered]:
        return batches.predict(
            [(row, segment.prepare(row, value)) for row, value in chunk]
        )

    with threads(plan.threads, begin=_limit(segment, plan)) as pool:
        chunks = Chunks(rows, lambda: batches.window)
        yield from in_order(pool, work, chunks, ahead=2 * plan.threads)


def _phases(
    segment: Segment, plan: Plan, batches: Batches, rows: Iterable[Numbered]
) -> Work:
    """All threads prepare a block, then this one predicts while they rest."""

    def prepare(pair: Numbered) -> Numbered:
        return pair[0], segment.prepare(*pair)

    if (limit := _limit(segment, plan)) is not None:
        limit()
    with nullcontext() if segment.alone else threads(plan.threads) as pool:
        for block in Chunks(rows, lambda: max(plan.block, batches.window)):
            prepared = (
                list(map(prepare, block))
                if pool is None
                else share(pool, prepare, block, workers=plan.threads)
            )
            while prepared:
                window = batches.window
                yield batches.predict(prepared[:window])
                prepared = prepared[window:]


def _overlap(
    segment: Segment, plan: Plan, batches: Batches, rows: Iterable[Numbered]
) -> Work:
    """Some threads prepare while another predicts what came before."""

    def work(chunk: list[Numbered]) -> list[Numbered]:
        return [(row, segment.prepare(row, value)) for row, value in chunk]

    size = plan.chunk
    with (
        threads(plan.threads) as pool,
        threads(1, begin=_limit(segment, plan)) as predicting,
    ):
        ahead = plan.chunks_ahead(batches.window)
        prepared = in_order(pool, work, Chunks(rows, lambda: size), ahead=ahead)
        ready = Chunks(chain.from_iterable(prepared), lambda: batches.window)
        yield from in_order(predicting, batches.predict, ready, ahead=2)


def _limit(segment: Segment, plan: Plan) -> Any:  # noqa: ANN401  (what a thread calls)
    """Have a thread's calls of ``predict`` keep to their share of the processors."""
    count = plan.model_threads
    model = None if segment.model is None else segment.model.operator.model
    if count is None or model is None:
        return None
    return partial(model.set_threads, count)
