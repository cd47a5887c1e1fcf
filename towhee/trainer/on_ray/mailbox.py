"""What workers send to the process that started the training."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of the run, for callbacks that show it.

    :param state: what changed of the run.
    """

    name: str
    steps_per_epoch: int
    state: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Files:
    """Files by their paths in the output folder, and all that is kept there."""

    contents: Mapping[str, bytes]
    kept: frozenset[str]


@dataclass(frozen=True, slots=True)
class Problem:
    """An exception that ended a worker, pickled: no module may be known elsewhere."""

    rank: int
    node: str
    error: bytes


@dataclass(frozen=True, slots=True)
class Trained:
    """Where the run ended, and the weights; pickled."""

    packed: bytes


class Mailbox:
    """An actor: workers put what happens, one process takes it, in order."""

    def __init__(self) -> None:
        self._letters: deque[object] = deque()
        self._there = threading.Event()

    def put(self, letter: object) -> None:
        """Keep it until it is taken."""
        self._letters.append(letter)
        self._there.set()

    def take(self, seconds: float) -> list[object]:
        """All that is there; waits a while for the first."""
        self._there.wait(seconds)
        self._there.clear()
        found: list[object] = []
        while self._letters:
            found.append(self._letters.popleft())
        return found
