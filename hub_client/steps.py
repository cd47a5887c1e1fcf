"""What goes on underneath, for whoever asked to be told it: ``hub -v``."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Tell: TypeAlias = "Callable[[str], object]"

# Not of a context: sources are read in threads, and one process runs one command.
_listeners: list[Tell] = []


@contextmanager
def told(tell: Tell) -> Iterator[None]:
    """Tell every step of the block, when it is over.

    >>> with told(print):
    ...     note("git", "ls-remote", "https://me:secret@git.acme.example/embed.git")
    git ls-remote https://***@git.acme.example/embed.git
    """
    _listeners.append(tell)
    try:
        yield
    finally:
        _listeners.remove(tell)


@contextmanager
def step(*words: str) -> Iterator[None]:
    """Tell what the block does when it is done, and how long it took."""
    started = time.perf_counter()
    try:
        yield
    finally:
        note(*words, f"({time.perf_counter() - started:.2f} s)")


def note(*words: str) -> None:
    """Tell that something was done; secrets are left out."""
    if _listeners:
        from hub_client.discretion import discreet  # noqa: PLC0415  (seldom)

        text = " ".join("".join(filter(str.isprintable, each)) for each in words)
        for tell in _listeners:
            tell(discreet(text))
