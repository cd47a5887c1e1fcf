"""How many workers each stage gets, of what a cluster has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from towhee.executors.ray.stages import InvalidResources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from towhee.executors.ray.stages import Stage


@dataclass(frozen=True, slots=True)
class Pool:
    """A stage, and how many workers it gets."""

    stage: Stage
    fewest: int
    most: int

    def resources(self, *, shared: bool) -> dict[str, Any]:
        """What each worker asks for, in Ray's words.

        :param shared: whether another run has workers now: rows of one may come out of
            the other, and what another waits for must not wait for its processors.
        """
        workers = self.stage.workers
        return {
            "num_cpus": 0 if shared else workers.num_cpus,
            **({"num_gpus": workers.num_gpus} if workers.num_gpus else {}),
            **({"memory": workers.memory} if workers.memory else {}),
        }


def pools(stages: Sequence[Stage]) -> tuple[Pool, ...]:
    """Decide how many workers each stage gets, of what the cluster has now.

    :raises InvalidResources: if there is no room for one, and none was asked for
        expressly: a cluster that grows by itself may bring it then.
    """
    import ray

    every = ray.nodes()  # type: ignore[no-untyped-call]  # Ray's
    nodes = [node["Resources"] for node in every if node["Alive"]]
    return tuple(_pool(stage, nodes, alone=len(stages) == 1) for stage in stages)


def _pool(stage: Stage, nodes: list[Any], *, alone: bool) -> Pool:
    wanted = stage.workers.concurrency
    if wanted is not None:
        fewest, most = (wanted, wanted) if isinstance(wanted, int) else wanted
        return Pool(stage, fewest, most)
    room = stage.workers.room(nodes)
    if not room:
        raise InvalidResources(
            f"No node of this Ray cluster has {stage.workers}",
            hint="Ask for less, or say `concurrency=1` to wait for a node that has it",
        )
    # Stages share the cluster; Ray Data adds workers where rows wait.
    return Pool(stage, room if alone else 1, room)
