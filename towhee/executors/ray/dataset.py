"""Stages that hand rows over, on Ray Data."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from towhee.executors.ray.feed import Feed, datasource
from towhee.executors.ray.flow import Flow, RayFailed, shipment
from towhee.executors.ray.tables import TableWorker, from_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ray.data import ActorPoolStrategy, Dataset

    from towhee.executors.ray.pools import Pool


class DatasetFlow(Flow):
    """A dataset whose rows are blocks, read from a feed and mapped by each stage."""

    def __init__(self, pools: Sequence[Pool], *, ordered: bool, strict: bool) -> None:
        import ray

        super().__init__(pools, ordered=ordered, strict=strict)
        # It is no work to wait; and where this process runs, it fails with it alone.
        self._feed: Any = (
            ray.remote(Feed)
            .options(num_cpus=0, max_concurrency=16, scheduling_strategy=_here())
            .remote()
        )
        self._tables: Iterator[Any] | None = None
        self._put = 0
        self._count: int | None = None
        self._received: list[int] = []

    def put(self, packed: bytes) -> None:
        """Give the next block to the feed."""
        self._feed.put.remote(self._put, packed, self._received)
        self._put += 1
        self._received = []

    def finish(self) -> None:
        """Know how many there are."""
        self._count = self._put
        self._feed.finish.remote(self._count)

    def get(self) -> tuple[bytes, float] | None:
        """Wait for the results of a block."""
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
            raise RayFailed(error) from error
        return None

    def close(self) -> None:
        """End the dataset, and the feed."""
        import ray

        super().close()
        self._tables = None
        ray.kill(self._feed)

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
            shared = self._begin()
            for stage, pool in enumerate(self._pools):
                begin = _beginning(self._feed, stage)
                resources = pool.resources(shared=shared)
                dataset = self._mapped(dataset, pool, resources, begin)
            tables = dataset.iter_batches(
                batch_size=None, batch_format="pyarrow", prefetch_batches=0
            )
        return iter(tables)

    def _mapped(
        self,
        dataset: Dataset,
        pool: Pool,
        resources: dict[str, Any],
        begin: Callable[[int], int],
    ) -> Dataset:
        threads = pool.stage.workers.threads
        return dataset.map_batches(
            TableWorker,
            fn_constructor_args=(shipment(pool), threads, begin),
            fn_constructor_kwargs={"strict": self._strict},
            # A table is a block, and Ray Data wants a number where there are GPUs.
            batch_size=1 if "num_gpus" in resources else None,
            batch_format="pyarrow",
            compute=_strategy(pool, self._count),
            **resources,
        )


def _strategy(pool: Pool, blocks: int | None) -> ActorPoolStrategy:
    """How many workers there are, in Ray Data's words.

    :param blocks: how many there are, if that is known: no more workers get any.
    """
    from ray.data import ActorPoolStrategy

    enough = pool.most if blocks is None else max(1, min(blocks, pool.most))
    # One block in work and one waiting: what more waits here, another cannot take.
    return ActorPoolStrategy(
        min_size=min(pool.fewest, enough),
        max_size=enough,
        max_tasks_in_flight_per_actor=2,
    )


def _beginning(feed: Any, stage: int) -> Callable[[int], int]:  # noqa: ANN401  (an actor)
    def begin(number: int) -> int:
        import ray

        times: int = ray.get(feed.begin.remote(stage, number))
        return times

    return begin


def _here() -> Any:  # noqa: ANN401  (ray publishes no types)
    import ray
    from ray.util.scheduling_strategies import (
        NodeAffinitySchedulingStrategy,
    )

    node = ray.get_runtime_context().get_node_id()
    return NodeAffinitySchedulingStrategy(node_id=node, soft=True)
