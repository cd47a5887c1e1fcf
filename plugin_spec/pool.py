"""Threads that live as long as the work that they do.

Ctrl-C raises between any two steps of Python in the main thread. In ``Condition``, and
so in ``Thread.start``, ``Future`` and ``Semaphore``, that can leave a lock locked, on
which another thread then waits for ever, or unlocked, which is another error. So what
the main thread asks here is asked of queues that are written in C, and threads are
started by other threads.
"""

from __future__ import annotations

import atexit
from _thread import start_new_thread
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeAlias

    Job: TypeAlias = tuple["Answer[Any]", Callable[[], object]]

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


def start(thread: Thread) -> None:
    """Start a thread that was made with a ``daemon`` of its own.

    :raises RuntimeError: if the system has no thread to give.
    """
    started: Answer[None] = Answer()
    start_new_thread(started.fill, (thread.start,))
    started.result()


class Pool:
    """Threads, as many as there is work for, that each call ``begin`` before it.

    They end with ``close``, or with the pool; a process that ends waits for what they
    have begun.
    """

    def __init__(self, count: int, begin: Callable[[], object] | None = None) -> None:
        self._closed = False
        self._crew = _Crew(count, begin)
        self._first = _Worker(self._crew, 0)
        start(self._first)
        _POOLS.add(self)

    def __del__(self) -> None:
        with suppress(AttributeError):  # It was interrupted before it had a crew.
            self._crew.jobs.put(None)

    def submit(self, work: Callable[[Task], Result], task: Task) -> Answer[Result]:
        """Have a thread do the task when one is free, in the caller's context.

        :raises RuntimeError: after ``close``: nobody would do it.
        """
        if self._closed:
            raise RuntimeError("The threads of this pool have ended")
        answer: Answer[Result] = Answer()
        # A copy each: no context is entered by two threads at once.
        self._crew.jobs.put((answer, partial(copy_context().run, work, task)))
        return answer

    def close(self) -> None:
        """End the threads when they have done what they began; nothing else begins."""
        self._closed = True
        with suppress(Empty):
            while True:
                self._crew.jobs.get_nowait()
        self._crew.jobs.put(None)
        self._first.join()


class _Crew:
    """What the threads of a pool share. They do not know the pool, or it would stay."""

    def __init__(self, count: int, begin: Callable[[], object] | None) -> None:
        self.begin = begin
        self.jobs: SimpleQueue[Job | None] = SimpleQueue()
        self.idle: SimpleQueue[None] = SimpleQueue()
        self.missing: SimpleQueue[int] = SimpleQueue()
        for number in range(1, count):
            self.missing.put(number)

    def next_job(self) -> Job | None:
        """Wait for one; there is none at the end."""
        self.idle.put(None)
        job = self.jobs.get()
        self.idle.get()
        return job


class _Worker(Thread):
    """Does jobs, and sees to it that another waits for the next one."""

    def __init__(self, crew: _Crew, number: int) -> None:
        # A process waits for those that are no daemons, and only then has them ended.
        super().__init__(name=f"towhee_{number}", daemon=True)
        self._crew = crew
        self._begun = crew.begin is None
        self._relieved_by: list[Thread] = []

    def run(self) -> None:
        while (job := self._crew.next_job()) is not None:
            if self._crew.idle.empty():
                self._start_another()
            answer, work = job
            answer.fill(partial(self._do, work))
            del job, answer, work  # While it waits it keeps no rows.
        self._crew.jobs.put(None)
        for worker in self._relieved_by:
            worker.join()

    def _start_another(self) -> None:
        # The system may have no more of them: then these do all of it.
        with suppress(Empty, RuntimeError):
            worker = _Worker(self._crew, self._crew.missing.get_nowait())
            worker.start()
            self._relieved_by.append(worker)

    def _do(self, work: Callable[[], object]) -> object:
        if not self._begun and self._crew.begin is not None:
            self._crew.begin()
            self._begun = True
        return work()


_POOLS: WeakSet[Pool] = WeakSet()


@atexit.register
def _close_all() -> None:
    for pool in list(_POOLS):
        pool.close()


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
