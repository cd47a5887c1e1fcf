"""How a chain would run, and why so: what ``explain`` prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from towhee.executors.segments import Functions

if TYPE_CHECKING:
    from towhee.executors.choosing import Chooser, Source
    from towhee.executors.plan import Plan
    from towhee.executors.segments import Part

_SAID = {
    "option": "as you asked",
    "default": "by default, nothing was measured yet",
    "cached": "measured by an earlier process on this machine",
    "measuring": "the fastest so far, still measuring",
    "measured": "measured in this process",
}


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One part of a chain, and how it runs."""

    steps: str
    words: str
    plan: Plan | None = None
    """For operators; functions need none."""
    source: Source | None = None

    @classmethod
    def of(cls, part: Part, chooser: Chooser) -> StagePlan:
        """What the next run would do with ``part``."""
        if isinstance(part, Functions):
            steps = ".".join(map(str, part.calls))
            if part.parallel is None:
                return cls(steps, "one loop, in the caller's thread")
            kind = "threads" if part.parallel.backend == "thread" else "processes"
            return cls(steps, f"{part.parallel.workers} {kind}, in chunks")
        if part.alone and part.model is None:
            return cls(str(part), "row by row, in the caller's thread")
        choice = chooser.preview(part)
        words = f"{choice.plan if part.model else _carried(choice.plan)}"
        return cls(str(part), words, choice.plan, choice.source)

    def __str__(self) -> str:
        why = "" if self.source is None else f" ({_SAID[self.source]})"
        return f"{self.steps}\n   {self.words}{why}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The parts of a chain in order.

    >>> print(Explanation((StagePlan("map(str)", "one loop, in the caller's thread"),)))
    1. map(str)
       one loop, in the caller's thread
    """

    stages: tuple[StagePlan, ...]

    def __str__(self) -> str:
        return "\n".join(
            f"{number}. {stage}" for number, stage in enumerate(self.stages, 1)
        )


def _carried(plan: Plan) -> str:
    threads = "1 thread" if plan.threads == 1 else f"{plan.threads} threads"
    return f"{threads}, in chunks"
