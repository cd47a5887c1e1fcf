"""Measure alternatives in turn, so that a machine that drifts, drifts for all."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Row:
    """The median seconds of one alternative, and its ratio to the first."""

    name: str
    seconds: float
    low: float
    high: float
    ratio: float


def in_turn(
    alternatives: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 5,
    before: Callable[[], object] | None = None,
) -> list[Row]:
    """Run every alternative once a round, after one round that does not count.

    The ratio is the median of the ratios within a round; the first alternative is the
    peer the others are held against.
    """
    taken: dict[str, list[float]] = {name: [] for name in alternatives}
    for number in range(rounds + 1):
        for name, alternative in alternatives.items():
            if before is not None:
                before()
            start = time.perf_counter()
            alternative()
            if number:
                taken[name].append(time.perf_counter() - start)
    peer = next(iter(taken.values()))
    return [
        Row(
            name,
            statistics.median(seconds),
            min(seconds),
            max(seconds),
            statistics.median(a / b for a, b in zip(seconds, peer, strict=True)),
        )
        for name, seconds in taken.items()
    ]


def command(*words: str, env: Mapping[str, str] | None = None) -> Callable[[], object]:
    """A whole process as an alternative; it must succeed.

    Python keeps what it compiles, as it does for users.
    """
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def run() -> None:
        subprocess.run(
            words,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**kept, **(env or {})},
        )

    return run


def print_table(title: str, rows: Sequence[Row], *, count: int = 0) -> None:
    """Print a Markdown table; with ``count``, also units per second."""
    print(f"\n### {title}\n")
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {platform.python_version()}\n"
    )
    print(f"| | median s | min to max | ratio |{' per s |' if count else ''}")
    print(f"|---|---|---|---|{'---|' if count else ''}")
    for row in rows:
        speed = f" {count / row.seconds:.1f} |" if count else ""
        print(
            f"| {row.name} | {row.seconds:.3f} | {row.low:.3f} to {row.high:.3f} "
            f"| {row.ratio:.2f} |{speed}"
        )
