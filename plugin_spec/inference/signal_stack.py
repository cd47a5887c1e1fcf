"""The stack that a thread's signal handlers run on."""

from __future__ import annotations

import ctypes
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class SignalStack(NamedTuple):
    """Where it lies, whether it is used, and how large it is: ``sigaltstack``.

    Each thread has its own, or none; Linux alone is asked.
    """

    address: int | None = None
    flags: int = 0
    size: int = 0

    @classmethod
    def now(cls) -> SignalStack:
        """That of the calling thread."""
        if sys.platform != "linux":
            return cls()
        found = _Stack()
        _libc().sigaltstack(None, ctypes.byref(found))
        return cls(found.address, found.flags, found.size)

    def use(self) -> None:
        """Let the calling thread have it."""
        if sys.platform == "linux":
            _libc().sigaltstack(ctypes.byref(_Stack(*self)), None)


@contextmanager
def kept_signal_stack() -> Iterator[None]:
    """Leave the calling thread the stack that it has, whatever is loaded meanwhile.

    OpenVINO gives a thread that loads it another one, and frees that where its model is
    dropped. In another thread nobody tells the first, which ends with a fault at its
    next signal: Ctrl-C, or the end of a child.
    """
    before = SignalStack.now()
    try:
        yield
    finally:
        if SignalStack.now() != before:
            before.use()


class _Stack(ctypes.Structure):
    _fields_ = (
        ("address", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("size", ctypes.c_size_t),
    )


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
