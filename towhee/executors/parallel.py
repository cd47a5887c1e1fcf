"""Functions in several threads or processes, a chunk of rows at a time."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from towhee.executors.chunks import Chunks
from towhee.executors.threads import in_order, threads
from towhee.executors.worker import timed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from contextlib import AbstractContextManager

    from towhee.executors.chunks import Numbered
    from towhee.executors.worker import Timed
    from towhee.pipelines import FunctionCall, Parallel

_WANTED_SECONDS = 0.05
_LARGEST_CHUNK = 16384
_GROWTH = 8


class ChunkSize:
    """Rows in a chunk: as many as make what handing it over costs unimportant."""

    def __init__(self) -> None:
        self.rows = 1

    def learn(self, rows: int, seconds: float) -> None:
        """Take what a chunk of so many rows took."""
        wanted = rows * _WANTED_SECONDS / max(seconds, 1e-6)
        self.rows = max(1, min(int(wanted), _GROWTH * rows, _LARGEST_CHUNK))


def in_parallel(
    calls: Sequence[FunctionCall], parallel: Parallel, pairs: Iterable[Numbered]
) -> Generator[list[Numbered], None, None]:
    """Apply ``calls`` to numbered values; the order stays.

    :raises CannotSend: naming a function that no other process can be given.
    :raises WorkerDied: if a process ended in the middle of its work.
    """
    size, ahead = ChunkSize(), 2 * parallel.workers
    chunks = Chunks(pairs, lambda: size.rows)
    # Processes end first: a thread waits for what its process does.
    with threads(parallel.workers) as pool, _backend(calls, parallel) as apply:
        for results, rows, seconds in in_order(pool, apply, chunks, ahead=ahead):
            size.learn(rows, seconds)
            yield results


def _backend(
    calls: Sequence[FunctionCall], parallel: Parallel
) -> AbstractContextManager[Callable[[list[Numbered]], Timed]]:
    if parallel.backend == "thread":
        return nullcontext(partial(timed, calls))
    from towhee.executors.processes import Processes  # noqa: PLC0415  (10 ms, seldom)

    return Processes(calls)
