"""Where the time of a run went: a table, and a trace that browsers show."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLUMNS = (
    "stage",
    "rows",
    "seconds",
    "ms a row",
    "ms waited",
    "batches",
    "rows each",
)


@dataclass(frozen=True, slots=True)
class Span:
    """One call: a stage worked on rows in a thread, by the clock of the process."""

    stage: str
    thread: str
    start: float
    end: float
    rows: int


@dataclass(frozen=True, slots=True)
class StageProfile:
    """What one stage did, all threads together."""

    stage: str
    rows: int
    seconds: float
    waited: float = 0.0
    """Seconds that its rows waited, ready, until it took them, all rows together."""
    batches: tuple[int, ...] = ()
    """How many rows each call had; empty for what has no calls of its own."""

    def cells(self) -> tuple[str, ...]:
        """This stage as a row of a table."""
        rows = max(1, self.rows)
        calls = len(self.batches)
        return (
            self.stage,
            str(self.rows),
            f"{self.seconds:.3f}",
            f"{1000 * self.seconds / rows:.3f}",
            f"{1000 * self.waited / rows:.3f}" if self.waited else "",
            str(calls) if calls else "",
            f"{sum(self.batches) / calls:.1f}" if calls else "",
        )


@dataclass(frozen=True, slots=True)
class Profile:
    """What each stage of a run did.

    >>> print(Profile((StageProfile("map(str)", 1000, 0.002),)))
    stage     rows  seconds  ms a row  ms waited  batches  rows each
    map(str)  1000    0.002     0.002
    """

    stages: tuple[StageProfile, ...]
    spans: tuple[Span, ...] = ()

    def to_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Write the calls as a file for ``chrome://tracing`` or ``ui.perfetto.dev``."""
        events = [*self._threads(), *self._calls()]
        text = json.dumps({"traceEvents": events, "displayTimeUnit": "ms"})
        Path(path).write_text(text, encoding="utf-8")

    def _threads(self) -> Iterator[dict[str, object]]:
        for number, name in enumerate(self._names()):
            yield {
                "name": "thread_name",
                "ph": "M",
                "pid": os.getpid(),
                "tid": number,
                "args": {"name": name},
            }

    def _calls(self) -> Iterator[dict[str, object]]:
        numbers = {name: number for number, name in enumerate(self._names())}
        first = min((span.start for span in self.spans), default=0.0)
        for span in self.spans:
            yield {
                "name": span.stage,
                "ph": "X",
                "ts": 1e6 * (span.start - first),
                "dur": 1e6 * (span.end - span.start),
                "pid": os.getpid(),
                "tid": numbers[span.thread],
                "args": {"rows": span.rows},
            }

    def _names(self) -> list[str]:
        return list(dict.fromkeys(span.thread for span in self.spans))

    def __str__(self) -> str:
        rows = [_COLUMNS, *(stage.cells() for stage in self.stages)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = (
            "  ".join(
                cell.ljust(width) if number == 0 else cell.rjust(width)
                for number, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        )
        return "\n".join(line.rstrip() for line in lines)
