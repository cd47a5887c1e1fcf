"""Work that is spread over the threads of a pool."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from plugin_spec.pool import Answer, Pool

_SLOW = 0.02
Task = TypeVar("Task")
Result = TypeVar("Result")


def in_order(
    pool: Pool,
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    ahead: int,
) -> Iterator[Result]:
    """Map ``work`` over ``tasks``, ``ahead`` of them at once.

    That bounds the memory: no task is pulled while so many are under way or wait. What
    is done does not wait for the next task of a slow source, and what the source raises
    comes after the results of the tasks before.
    """
    pending: deque[Answer[Result]] = deque()
    problem: Exception | None = None
    source = iter(tasks)
    while True:
        asked = time.perf_counter()
        try:
            task = next(source)
        except StopIteration:
            break
        except Exception as error:  # noqa: BLE001  (raised when those are through)
            problem = error
            break
        pending.append(pool.submit(work, task))
        is_slow = time.perf_counter() - asked > _SLOW
        while pending and (len(pending) >= ahead or (is_slow and pending[0].done())):
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
    if problem is not None:
        raise problem


def share(
    pool: Pool,
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    workers: int,
) -> list[Result]:
    """Map ``work`` over ``tasks``, each taken by the next thread that is free.

    One hand-over a thread, not a task; no thread waits while a task is left. A single
    task is not handed over at all.
    """
    if len(tasks) == 1:
        return [work(tasks[0])]
    left = deque(enumerate(tasks))
    results: list[Result | None] = [None] * len(tasks)

    def take(_: object) -> None:
        while left:
            try:
                place, task = left.popleft()
            except IndexError:  # Another thread was faster.
                return
            results[place] = work(task)

    takers = [pool.submit(take, None) for _ in range(min(workers, len(tasks)))]
    try:
        for taker in takers:
            taker.result()
    finally:
        left.clear()
    return results  # type: ignore[return-value]  # each was filled, or this raised
