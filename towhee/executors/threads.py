"""Threads that live as long as the run that they work for.

Ctrl-C raises between any two steps of Python in the main thread. In ``Future`` and in
``Semaphore`` that can leave a lock locked, on which a thread of the pool then waits for
ever. So what the main thread asks here is asked of queues that are written in C.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_SLOW = 0.02
Task = TypeVar("Task")
Result = TypeVar("Result")


class Answer(Generic[Result]):
    """What a task gives, once it was done."""

    def __init__(self) -> None:
        self._box: SimpleQueue[tuple[Result | None, BaseException | None]]
        self._box = SimpleQueue()

    def fill(self, work: Callable[[], Result]) -> None:
        """Do the task, in its thread."""
        try:
            value = work()
        except BaseException as error:  # noqa: BLE001  (raised where it is waited for)
            self._box.put((None, error))
        else:
            self._box.put((value, None))

    def done(self) -> bool:
        """Whether ``result`` would not wait."""
        return not self._box.empty()

    def result(self) -> Result:
        """Wait for it, once; what the task raised is raised."""
        value, error = self._box.get()
        if error is None:
            return value  # type: ignore[return-value]  # it is the result
        try:
            raise error
        finally:
            # An error knows the frames that it went through, this one among them.
            del error


class Pool:
    """Threads that each call ``begin`` before their first task."""

    def __init__(self, count: int, begin: Callable[[], object] | None) -> None:
        self._executor = ThreadPoolExecutor(count, thread_name_prefix="towhee")
        self._executor._idle_semaphore = _Idle()  # type: ignore[assignment]  # noqa: SLF001
        self._begin = begin
        self._own = threading.local()

    def submit(self, work: Callable[[Task], Result], task: Task) -> Answer[Result]:
        """Have a thread do the task when one is free."""
        answer: Answer[Result] = Answer()
        self._executor.submit(answer.fill, lambda: self._do(work, task))
        return answer

    def close(self) -> None:
        """End the threads when they have done what they began; nothing else begins."""
        self._executor.shutdown(cancel_futures=True)

    def _do(self, work: Callable[[Task], Result], task: Task) -> Result:
        if self._begin is not None and not hasattr(self._own, "begun"):
            self._begin()
            self._own.begun = True
        return work(task)


class _Idle:
    """Counts idle threads, as the semaphore that it is in the place of."""

    def __init__(self) -> None:
        self._tokens: SimpleQueue[None] = SimpleQueue()

    def acquire(self, timeout: float = 0) -> bool:
        """Take one, if there is one: the executor never waits here."""
        del timeout
        try:
            self._tokens.get_nowait()
        except Empty:
            return False
        return True

    def release(self) -> None:
        """Add one."""
        self._tokens.put(None)


@contextmanager
def threads(count: int, begin: Callable[[], object] | None = None) -> Iterator[Pool]:
    """Lend threads that each call ``begin`` first; none is left behind.

    Also when the caller stops early or is interrupted: what has not begun never does.
    """
    pool = Pool(count, begin)
    try:
        yield pool
    finally:
        pool.close()


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
