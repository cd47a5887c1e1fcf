"""How far a long transfer is, for whoever wants to show it."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Advance: TypeAlias = "Callable[[int], object]"
"""Takes the number of bytes that arrived since the last call, from any thread."""
Show: TypeAlias = "Callable[[str, int], AbstractContextManager[Advance]]"
"""Takes what is transferred, and how many bytes that is."""


def _show_nothing(text: str, total: int) -> AbstractContextManager[Advance]:
    del text, total
    return nullcontext(lambda _arrived: None)


_show: ContextVar[Show] = ContextVar("show", default=_show_nothing)


@contextmanager
def shown(show: Show) -> Iterator[None]:
    """Show every transfer of the block."""
    token = _show.set(show)
    try:
        yield
    finally:
        _show.reset(token)


def transfer(text: str, total: int) -> AbstractContextManager[Advance]:
    """Begin a transfer of ``total`` bytes; the block is told how to say what arrived.

    >>> with transfer("weights", 10) as advance:
    ...     advance(10)
    """
    return _show.get()(text, total)
