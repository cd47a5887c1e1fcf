"""Work in threads that the first failure, or an interrupt, ends."""

from __future__ import annotations

import time
from contextlib import suppress
from contextvars import ContextVar, copy_context
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Final, TypeVar

from plugin_spec.errors import HubError
from plugin_spec.pool import Answer, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

_GRACE: Final = 1.0
"""Seconds for threads to see that they are not needed; a silent server may hold one."""
_GLANCE: Final = 0.2
"""Seconds between two looks at a thread that may hang."""
_ended: ContextVar[Event] = ContextVar("ended", default=Event())  # noqa: B039  (never set)


class Unneeded(HubError):
    """What a thread works for has ended without it."""


def side_by_side(work: Callable[[T], object], items: Iterable[T], most: int) -> None:
    """Do the work on every item, up to ``most`` at once.

    The first failure is raised; then, and after an interrupt, nothing more is begun,
    and no thread keeps the process: one that waits for a server ends when it hears.

    >>> found = []
    >>> side_by_side(found.append, "ab", 2)
    >>> sorted(found)
    ['a', 'b']
    """
    ended = Event()
    left: SimpleQueue[T] = SimpleQueue()
    answers: SimpleQueue[BaseException | None] = SimpleQueue()
    for item in items:
        left.put(item)

    def run() -> None:
        _ended.set(ended)
        try:
            for item in _taken(left, ended):
                work(item)
        except BaseException as error:  # noqa: BLE001  (raised where it is awaited)
            answers.put(error)
        else:
            answers.put(None)

    threads = [Thread(target=run, daemon=True) for _ in range(min(most, left.qsize()))]
    try:
        for thread in threads:
            start(thread)
        for _ in threads:
            if (error := answers.get()) is not None:
                raise error
    finally:
        ended.set()
        _see_off(threads)


def watched(work: Callable[[], T], check: Callable[[], object]) -> T:
    """Do the work in a thread, while ``check`` raises nothing: for what may hang.

    As above, no thread keeps the process: one that is given up ends when it hears.

    >>> watched(lambda: 1, check_needed)
    1
    """
    ended = Event()
    answer: Answer[T] = Answer()

    def run() -> None:
        _ended.set(ended)
        answer.fill(work)

    thread = Thread(target=copy_context().run, args=(run,), daemon=True)
    try:
        start(thread)
        thread.join(_GLANCE)
        while not answer.done():
            check_needed()
            check()
            thread.join(_GLANCE)
    finally:
        ended.set()
        _see_off([thread])
    return answer.result()


def _taken(items: SimpleQueue[T], ended: Event) -> Iterator[T]:
    with suppress(Empty):
        while not ended.is_set():
            yield items.get_nowait()


def _see_off(threads: Iterable[Thread]) -> None:
    until = time.monotonic() + _GRACE
    for thread in threads:
        if thread.is_alive():  # An interrupt may come before it is.
            thread.join(max(0.0, until - time.monotonic()))


def check_needed() -> None:
    """Go on, unless the work that this thread is part of has ended.

    :raises Unneeded: if it has.
    """
    if _ended.get().is_set():
        raise Unneeded("it was interrupted")


def pause(seconds: float) -> None:
    """Wait, for as long as the work that this thread is part of goes on.

    :raises Unneeded: if it ends meanwhile.
    """
    if _ended.get().wait(seconds):
        check_needed()
