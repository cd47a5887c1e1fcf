"""What one run of a segment knows, whatever plan it follows."""

from __future__ import annotations

import sys
import threading
import warnings
from dataclasses import dataclass, field


class BatchHalved(UserWarning):
    """Batches did not fit into memory: the rest of the run takes smaller ones."""


class Fit:
    """How many rows fit into memory at once, as far as is known."""

    def __init__(self) -> None:
        self.largest = sys.maxsize
        self._doubted: set[int] = set()
        """Sizes that did not fit once, and no such batch or larger one has since."""
        self._changing = threading.Lock()
        self._has_warned = False

    def allows(self, size: int) -> bool:
        """Whether nothing speaks against batches of ``size``."""
        return size <= self.largest and not any(each <= size for each in self._doubted)

    def worked(self, size: int) -> None:
        """Learn that ``size`` rows fit: what was doubted had heavy rows in it."""
        if self._doubted:
            with self._changing:
                self._doubted = {each for each in self._doubted if each > size}

    def failed(self, model: str, size: int) -> None:
        """Learn that ``size`` rows did not fit, each of which fits alone.

        Twice, one after the other, settles it for the run; that is said once.
        """
        with self._changing:
            if size > self.largest:
                return
            if size not in self._doubted:
                self._doubted.add(size)
                return
            self.largest = max(1, size // 2)
            if self._has_warned:
                return
            self._has_warned = True
        warnings.warn(
            f"`{model}` ran out of memory with batches of {size}: "
            f"from here on batches have at most {self.largest} rows",
            BatchHalved,
            stacklevel=2,
        )


@dataclass(frozen=True, slots=True)
class Run:
    """What goes with a segment's rows through every plan."""

    fit: Fit = field(default_factory=Fit)
