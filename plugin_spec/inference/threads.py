"""How many threads torch computes with, for one calling thread and one while."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class ThreadShare(threading.local):
    """How many threads the calling thread may compute with; None is as it finds them.

    Each thread has a ``count`` of its own. A copy in another process starts anew.

    >>> share = ThreadShare()
    >>> share.count = 2
    >>> other = threading.Thread(target=lambda: print(share.count))
    >>> other.start(); other.join()
    None
    """

    _count: int | None = None

    @property
    def count(self) -> int | None:
        """What the calling thread was told."""
        return self._count

    @count.setter
    def count(self, count: int | None) -> None:
        _note()
        self._count = count

    def __reduce__(self) -> tuple[type[ThreadShare], tuple[()]]:
        return type(self), ()


class _Users:
    """The count that torch had before anyone here changed it."""

    lock = threading.Lock()
    changing = 0
    count = 0


class _Noted(threading.local):
    """What the calling thread is to compute with after its next block."""

    own: int | None = None


_noted = _Noted()


def _note() -> None:
    """Learn what is the thread's own, before it computes.

    A thread that is new to torch takes over the count of the moment, which may be that
    of another thread's block.
    """
    torch = sys.modules.get("torch")
    if torch is None or threading.current_thread() is threading.main_thread():
        return
    with _Users.lock:
        _noted.own = _Users.count if _Users.changing else torch.get_num_threads()


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Compute with ``count`` threads in the block, and then with as many as before.

    torch keeps a count for each thread that computes, and one that new threads start
    with; both are the user's again when the last block has ended.
    """
    if count is None:
        yield
        return
    import torch

    with _Users.lock:
        noted, _noted.own = _noted.own, None
        own = torch.get_num_threads() if noted is None else noted
        if not _Users.changing:
            _Users.count = own
        elif threading.current_thread() is not threading.main_thread():
            # A thread that is new to torch took over what another block has set.
            own = _Users.count
        _Users.changing += 1
        torch.set_num_threads(count)
    try:
        yield
    finally:
        with _Users.lock:
            _Users.changing -= 1
            torch.set_num_threads(own)
