"""Blocks through stages on Ray Data, a bounded number of them at a time."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from plugin_spec.errors import HubError
from towhee.executors.ray.feed import Feed, datasource
from towhee.executors.ray.shipment import Shipment
from towhee.executors.ray.stages import InvalidResources
from towhee.executors.ray.tables import from_table
from towhee.executors.ray.worker import StageWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ray.data import ActorPoolStrategy, Dataset

    from towhee.executors.ray.stages import Stage, Workers


class RayFailed(HubError):
    """Ray could not carry rows through: the cause says why."""


@dataclass(frozen=True, slots=True)
class Pool:
    """A stage, and how many workers it gets."""

    stage: Stage
    fewest: int
    most: int

    def strategy(self, blocks: int | None) -> ActorPoolStrategy:
        """The same in Ray Data's words.

        :param blocks: how many there are, if that is known: no more workers get any.
        """
        from ray.data import ActorPoolStrategy

        enough = self.most if blocks is None else max(1, min(blocks, self.most))
        # One block in work and one waiting: what more waits here, another cannot take.
        return ActorPoolStrategy(
            min_size=min(self.fewest, enough),
            max_size=enough,
            max_tasks_in_flight_per_actor=2,
        )


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


# Flows that have workers now: rows of one may come out of another.
_running: WeakSet[Flow] = WeakSet()


class Flow:
    """Numbered blocks go in, and come out with what the stages made of them.

    :param ordered: whether they come out as they went in, rather than as they are done.
    :param strict: whether a worker ends at what failed before failures were kept.
    """

    def __init__(self, pools: Sequence[Pool], *, ordered: bool, strict: bool) -> None:
        import ray

        # It is no work to wait; and where this process runs, it fails with it alone.
        self._feed: Any = (
            ray.remote(Feed)
            .options(num_cpus=0, max_concurrency=16, scheduling_strategy=_here())
            .remote()
        )
        self._pools = pools
        self._ordered, self._strict = ordered, strict
        self._tables: Iterator[Any] | None = None
        self._put = 0
        self._count: int | None = None
        self._received: list[int] = []
        self.capacity = sum(3 * pool.most for pool in pools) + 1
        """Blocks that keep every worker busy."""

    def put(self, packed: bytes) -> None:
        """Give the next block."""
        self._feed.put.remote(self._put, packed, self._received)
        self._put += 1
        self._received = []

    def finish(self) -> None:
        """Say that there is no block any more."""
        self._count = self._put
        self._feed.finish.remote(self._count)

    def get(self) -> tuple[bytes, float] | None:
        """Wait for a block's results and its seconds of work; None after the last.

        :raises RayFailed: if Ray gives up.
        """
        import ray

        if self._tables is None:
            # Few rows are all given by now: it is known how many workers they need.
            self._tables = self._started()
        try:
            for table in self._tables:
                ((number, packed, seconds),) = from_table(table)
                self._received.append(number)
                return packed, seconds
        except ray.exceptions.RayError as error:
            raise RayFailed(
                f"Ray cannot go on: {error}", hint="Look into Ray's logs for the reason"
            ) from error
        return None

    def _started(self) -> Iterator[Any]:
        import ray.data

        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context = ray.data.DataContext.get_current().copy()
        context.execution_options.preserve_order = self._ordered
        context.enable_progress_bars = False
        # Each block is handed on as it is; larger ones would wait for others.
        context.target_max_block_size = 1
        with ray.data.DataContext.current(context):
            source = datasource(self._feed)
            # One task reads. Ray Data would make it one with the workers, if these are
            # to have no processor either, unless it is told that there are more.
            reading = ray.data.TaskPoolStrategy(size=1)
            dataset = ray.data.read_datasource(
                source, override_num_blocks=1, num_cpus=0, compute=reading
            )
            # What another waits for must not wait for it: it asks for no processor.
            shares = bool(_running)
            _running.add(self)
            for stage, pool in enumerate(self._pools):
                workers = pool.stage.workers
                wanted = replace(workers, num_cpus=0) if shares else workers
                begin = _beginning(self._feed, stage)
                dataset = self._mapped(dataset, pool, wanted, begin)
            tables = dataset.iter_batches(
                batch_size=None, batch_format="pyarrow", prefetch_batches=0
            )
        return iter(tables)

    def _mapped(
        self,
        dataset: Dataset,
        pool: Pool,
        wanted: Workers,
        begin: Callable[[int], int],
    ) -> Dataset:
        from ray import cloudpickle

        threads = pool.stage.workers.threads
        shipment = cloudpickle.dumps(  # type: ignore[no-untyped-call]  # Ray's
            Shipment.of(pool.stage.pipeline)
        )
        return dataset.map_batches(
            StageWorker,
            fn_constructor_args=(shipment, threads, begin),
            fn_constructor_kwargs={"strict": self._strict},
            # A table is a block, and Ray Data wants a number where there are GPUs.
            batch_size=1 if wanted.num_gpus else None,
            batch_format="pyarrow",
            compute=pool.strategy(self._count),
            **_resources(wanted),
        )

    def close(self) -> None:
        """Stop what runs; nothing of it stays."""
        import ray

        _running.discard(self)
        self._tables = None
        ray.kill(self._feed)


def _beginning(feed: Any, stage: int) -> Callable[[int], int]:  # noqa: ANN401  (an actor)
    def begin(number: int) -> int:
        import ray

        times: int = ray.get(feed.begin.remote(stage, number))
        return times

    return begin


def _resources(workers: Workers) -> dict[str, Any]:
    return {
        "num_cpus": workers.num_cpus,
        **({"num_gpus": workers.num_gpus} if workers.num_gpus else {}),
        **({"memory": workers.memory} if workers.memory else {}),
    }


def _here() -> Any:  # noqa: ANN401  (ray publishes no types)
    import ray
    from ray.util.scheduling_strategies import (
        NodeAffinitySchedulingStrategy,
    )

    node = ray.get_runtime_context().get_node_id()
    return NodeAffinitySchedulingStrategy(node_id=node, soft=True)
