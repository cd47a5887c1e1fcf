"""Rows on their way into Ray Data, which reads them as they are given.

The rows of a chain come from an iterator of the calling process. An actor takes them
over in blocks; a task of Ray Data reads from it, and a task that Ray starts again after
a failure reads the same blocks again.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from towhee.executors.ray.tables import to_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from ray.data import Datasource


class Feed:
    """Blocks by number, each kept until what came of it was received.

    An actor; the calling process puts, a reading task gets.
    """

    def __init__(self) -> None:
        self._blocks: dict[int, bytes] = {}
        self._begun: Counter[tuple[int, int]] = Counter()
        self._end: int | None = None
        self._changed = asyncio.Condition()

    async def put(self, number: int, packed: bytes, received: Sequence[int]) -> None:
        """Add a block, and forget others.

        :param received: numbers of blocks whose results the caller has.
        """
        async with self._changed:
            self._blocks[number] = packed
            self._blocks.update(dict.fromkeys(received, b""))
            self._changed.notify_all()

    async def finish(self, count: int) -> None:
        """Say that there are ``count`` blocks, and no more to come."""
        async with self._changed:
            self._end = count
            self._changed.notify_all()

    async def begin(self, stage: int, number: int) -> int:
        """Note that a worker begins with a block; gives how many have, by now."""
        self._begun[stage, number] += 1
        return self._begun[stage, number]

    async def get(self, number: int) -> bytes | None:
        """Wait for a block; None after the last.

        Who reads one a second time, after its result was received, gets no rows.
        """
        async with self._changed:
            await self._changed.wait_for(
                lambda: number in self._blocks or self._end == number
            )
            return self._blocks.get(number)


def datasource(feed: Any) -> Datasource:  # noqa: ANN401  (the actor's handle)
    """What Ray Data reads the feed through: one task, a table a block."""
    from ray.data import Datasource
    from ray.data.block import BlockMetadata
    from ray.data.datasource import ReadTask

    unknown = BlockMetadata(
        num_rows=None, size_bytes=None, input_files=None, exec_stats=None
    )

    class FeedSource(Datasource):
        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, *_: object, **__: object) -> list[ReadTask]:
            return [ReadTask(lambda: _tables(feed), unknown)]

    source: Datasource = FeedSource()  # type: ignore[no-untyped-call]  # Ray's
    return source


def _tables(feed: Any) -> Iterator[pa.Table]:  # noqa: ANN401
    import ray

    number = 0
    while (packed := ray.get(feed.get.remote(number))) is not None:
        yield to_table([(number, packed, 0.0)])
        number += 1
