"""Numbered blocks on their way through stages, a bounded number of them at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING
from weakref import WeakSet

from plugin_spec.errors import HubError
from towhee.executors.portable import CannotSend
from towhee.executors.ray.shipment import Shipment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from towhee.executors.ray.pools import Pool


class RayFailed(HubError):
    """Ray could not carry rows through: the cause says why."""

    def __init__(self, reason: object) -> None:
        super().__init__(
            f"Ray cannot go on: {reason}", hint="Look into Ray's logs for the reason"
        )


# Flows that have workers now: rows of one may come out of another.
_running: WeakSet[Flow] = WeakSet()


class Flow(ABC):
    """Blocks go in, and come out with what the stages made of them.

    :param ordered: whether they come out as they went in, rather than as they are done.
    :param strict: whether a worker ends at what failed before failures were kept.
    """

    def __init__(self, pools: Sequence[Pool], *, ordered: bool, strict: bool) -> None:
        self._pools = pools
        self._ordered, self._strict = ordered, strict
        self.capacity = sum(3 * pool.most for pool in pools) + 1
        """Blocks that keep every worker busy."""

    @abstractmethod
    def put(self, packed: bytes) -> None:
        """Give the next block; waits for nothing."""

    @abstractmethod
    def finish(self) -> None:
        """Say that there is no block any more."""

    @abstractmethod
    def get(self) -> tuple[bytes, float] | None:
        """Wait for a block's results and its seconds of work; None after the last.

        :raises RayFailed: if Ray gives up.
        """

    def close(self) -> None:
        """Stop what runs; nothing of it stays."""
        _running.discard(self)

    def _begin(self) -> bool:
        """Have workers from now on; whether another flow has some."""
        shared = bool(_running)
        _running.add(self)
        return shared


def flow(pools: Sequence[Pool], *, ordered: bool, strict: bool) -> Flow:
    """Whole rows in actors, or stages of Ray Data that hand rows over."""
    if len(pools) == 1:
        from towhee.executors.ray.actors import ActorFlow  # noqa: PLC0415  (one of two)

        return ActorFlow(pools, ordered=ordered, strict=strict)
    from towhee.executors.ray.dataset import DatasetFlow  # noqa: PLC0415  (as above)

    return DatasetFlow(pools, ordered=ordered, strict=strict)


def shipment(pool: Pool) -> bytes:
    """What a worker needs to have a stage, pickled.

    :raises CannotSend: naming a function that cannot be.
    """
    shipped = Shipment.of(pool.stage.pipeline)
    try:
        return _dumps(shipped)
    except Exception as error:
        for step in pool.stage.pipeline.steps:
            try:
                _dumps(step)
            except Exception as found:
                raise _cannot_send(step, found) from found
        raise _cannot_send(
            ".".join(map(str, pool.stage.pipeline.steps)), error
        ) from error


def _dumps(value: object) -> bytes:
    from ray import cloudpickle

    packed: bytes = cloudpickle.dumps(value)  # type: ignore[no-untyped-call]  # Ray's
    return packed


def _cannot_send(step: object, error: Exception) -> CannotSend:
    return CannotSend(
        f"`{step}` cannot be sent to a worker: {type(error).__name__}: {error}",
        hint="Make what it holds, such as locks and connections, in the function",
    )
