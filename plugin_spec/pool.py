"""Threads that live as long as the work that they do.

Ctrl-C raises between any two steps of Python in the main thread. In ``Future`` and in
``Semaphore`` that can leave a lock locked, on which a thread of the pool then waits for
ever. So what the main thread asks here is asked of queues that are written in C.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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

    def __init__(self, count: int, begin: Callable[[], object] | None = None) -> None:
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
