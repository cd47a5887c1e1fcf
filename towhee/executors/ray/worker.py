"""What runs in a worker: the local engine, over one block of rows after the other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from towhee.executors.local import LocalExecutor
from towhee.executors.ray.crossing import Block, carry_classes, pack, unpack
from towhee.executors.ray.tables import from_table, to_table

if TYPE_CHECKING:
    import pyarrow as pa

    from towhee.bound import BoundPipeline


class StageWorker:
    """Holds the operators of one stage for as long as its rows come.

    An actor of Ray Data, which gives it tables and hands on those that it returns.
    """

    def __init__(self, shipment: bytes, threads: int, *, strict: bool) -> None:
        """Have the operators on this node, and load them.

        :param shipment: a ``Shipment``, pickled.
        :param threads: how many carry rows.
        :param strict: end with what failed before failures were to be kept.
        """
        self._engine = LocalExecutor(threads)
        self._strict = strict
        self._problem: BaseException | None = None
        self._pipeline: BoundPipeline
        self._place = ""
        try:
            from ray import cloudpickle

            self._pipeline = cloudpickle.loads(shipment).unpack()
            # What the last step gives is what leaves.
            self._place = "".join(map(str, self._pipeline.load()[-1:]))
            carry_classes()
        except Exception as error:  # noqa: BLE001  (told with the first rows)
            self._problem = error

    def __call__(self, table: pa.Table) -> pa.Table:
        """Carry rows through the stage, a block at a time."""
        return to_table(
            [(number, *self._timed(packed)) for number, packed, _ in from_table(table)]
        )

    def _timed(self, packed: bytes) -> tuple[bytes, float]:
        start = time.perf_counter()
        answer = self._carry(packed) if packed else packed
        return answer, time.perf_counter() - start

    def _carry(self, packed: bytes) -> bytes:
        if self._problem is not None:
            return pack(Block(problem=self._problem))
        try:
            block = unpack(packed)
        except Exception as error:  # noqa: BLE001  (told as any other)
            return pack(Block(problem=error))
        if block.problem is not None:
            return packed
        return pack(self._run(block), place=self._place)

    def _run(self, block: Block) -> Block:
        pairs: list[tuple[int, Any]] = []
        try:
            pairs.extend(
                self._engine.pairs(
                    self._pipeline, iter(block.pairs), strict=self._strict
                )
            )
        except Exception as error:  # noqa: BLE001  (the engine's own, or strictness)
            return Block(pairs, error)
        return Block(pairs)
