"""What runs in a worker: the local engine, over one block of rows after the other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.errors import HubError
from towhee.executors.fusion import Failed
from towhee.executors.local import LocalExecutor
from towhee.executors.portable import CannotSend
from towhee.executors.ray.crossing import Block, carry_classes, pack, unpack
from towhee.outcome import OperatorFailed

if TYPE_CHECKING:
    from towhee.bound import BoundPipeline


LIVES: Final = 3
"""Workers that may die of a block before it is given up."""


class WorkersDied(HubError):
    """Rows were given up, since no worker survives them."""


class StageWorker:
    """Holds the operators of one stage for as long as its rows come."""

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
        self._first = self._place = ""
        try:
            from ray import cloudpickle

            self._pipeline = cloudpickle.loads(shipment).unpack()
            # What the first step takes comes, and what the last one gives leaves.
            loaded = self._pipeline.load()
            self._first = "".join(map(str, loaded[:1]))
            self._place = "".join(map(str, loaded[-1:]))
            carry_classes()
        except Exception as error:  # noqa: BLE001  (told with the first rows)
            self._problem = error

    def carry(self, packed: bytes, lost: int) -> tuple[bytes, float]:
        """Carry a block's rows through the stage; gives the seconds of work, too.

        :param lost: how many workers have died of this block.
        """
        start = time.perf_counter()
        packed = self._carry(packed) if lost < LIVES else self._give_up(packed)
        return packed, time.perf_counter() - start

    def _give_up(self, packed: bytes) -> bytes:
        block = unpack(packed, place=self._first)
        return pack(
            Block([(row, self._lost(row, value)) for row, value in block.pairs])
        )

    def _lost(self, row: int, value: object) -> Failed:
        if type(value) is Failed:
            return value
        reason = WorkersDied(
            f"{LIVES} workers died one after the other in the work on the rows around",
            hint="Run these rows with a small `block_size`, or the local engine",
        )
        return Failed(OperatorFailed(self._place, value, reason, row=row))

    def _carry(self, packed: bytes) -> bytes:
        if self._problem is not None:
            return pack(Block(problem=self._problem))
        try:
            block = unpack(packed, place=self._first)
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
        except SystemExit as error:
            # It would end the worker, and those after it that are given the block.
            steps = ".".join(map(str, self._pipeline.steps))
            reason = f"`{steps}` stopped a worker: SystemExit: {error}"
            return Block(pairs, CannotSend(reason))
        return Block(pairs)
