"""What one run of a segment knows, whatever plan it follows."""

from __future__ import annotations

import sys
import threading
import warnings
from dataclasses import dataclass, field


class BatchHalved(UserWarning):
    """A batch did not fit into memory: the rest of the run takes half as many rows."""


class Fit:
    """How many rows fit into memory at once, as far as is known."""

    def __init__(self) -> None:
        self.largest = sys.maxsize
        self._changing = threading.Lock()

    def halve(self, model: str, size: int) -> None:
        """Learn that ``size`` rows did not fit; what to try now is said once."""
        half = max(1, size // 2)
        with self._changing:
            if half < self.largest:
                self.largest = half
                warnings.warn(
                    f"`{model}` ran out of memory with a batch of {size}: "
                    f"from here on batches have at most {half} rows",
                    BatchHalved,
                    stacklevel=2,
                )


@dataclass(frozen=True, slots=True)
class Run:
    """What goes with a segment's rows through every plan."""

    fit: Fit = field(default_factory=Fit)
