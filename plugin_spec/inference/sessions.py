"""Sessions of a runtime, each opened for one count of threads."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Session = TypeVar("Session")

_KEPT: Final = 2


class Sessions(Generic[Session]):
    """Open a session when its count is first asked for, and keep the last two.

    Runtimes other than torch fix the count as they open a model, and a session holds
    the weights once more; so counts that are only tried do not pile up.

    >>> sessions = Sessions(lambda count: print("opens", count) or f"session {count}")
    >>> sessions[1], sessions[2], sessions[1]
    opens 1
    opens 2
    ('session 1', 'session 2', 'session 1')
    """

    def __init__(self, opening: Callable[[int], Session]) -> None:
        self._opening = opening
        self._open: OrderedDict[int, Session] = OrderedDict()
        self._lock = Lock()

    def __getitem__(self, threads: int | None) -> Session:
        """The session that computes with so many threads; None is torch's own count."""
        if threads is None:
            import torch

            threads = torch.get_num_threads()
        with self._lock:
            if threads not in self._open:
                self._open[threads] = self._opening(threads)
            self._open.move_to_end(threads)
            if len(self._open) > _KEPT:
                # A call that still computes with it holds it until it is done.
                self._open.popitem(last=False)
            return self._open[threads]
