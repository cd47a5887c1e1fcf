"""Functions in several threads or processes, a chunk of rows at a time."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Self

from plugin_spec.pool import threads
from towhee.executors.chunks import Chunks
from towhee.executors.threads import in_order
from towhee.executors.worker import timed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import TypeAlias

    from plugin_spec.pool import Pool
    from towhee.executors.chunks import Numbered
    from towhee.executors.worker import Timed
    from towhee.pipelines import FunctionCall, Parallel

    Workers: TypeAlias = tuple[Pool, Callable[[list[Numbered]], Timed]]
    Lend: TypeAlias = Callable[
        [Sequence[FunctionCall], Parallel], AbstractContextManager[Workers]
    ]

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


@contextmanager
def workers(calls: Sequence[FunctionCall], parallel: Parallel) -> Iterator[Workers]:
    """Lend threads, and what they apply to a chunk; no process is left behind.

    :raises CannotSend: naming a function that no other process can be given.
    """
    # Processes end first: a thread waits for what its process does.
    with threads(parallel.workers) as pool, _backend(calls, parallel) as apply:
        yield pool, apply


class Lasting:
    """Workers that several runs of the same functions use, one after the other."""

    def __init__(self) -> None:
        self._begun: dict[tuple[int, ...], Workers] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def workers(
        self, calls: Sequence[FunctionCall], parallel: Parallel
    ) -> Iterator[Workers]:
        """Lend those that an earlier run had, or begin some."""
        # Not by value: a function of the caller's need not be hashable.
        key = tuple(map(id, calls))
        if key not in self._begun:
            self._begun[key] = self._stack.enter_context(workers(calls, parallel))
        yield self._begun[key]


def in_parallel(
    calls: Sequence[FunctionCall],
    parallel: Parallel,
    pairs: Iterable[Numbered],
    lend: Lend = workers,
) -> Generator[list[Numbered], None, None]:
    """Apply ``calls`` to numbered values; the order stays.

    :raises CannotSend: naming a function that no other process can be given.
    :raises WorkerDied: if a process ended in the middle of its work.
    """
    size, ahead = ChunkSize(), 2 * parallel.workers
    chunks = Chunks(pairs, lambda: size.rows)
    with lend(calls, parallel) as (pool, apply):
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
