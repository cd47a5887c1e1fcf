"""The Ray engine: whole rows in workers that hold the operators."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import dropwhile
from typing import TYPE_CHECKING, Any

from towhee.bound import BoundPipeline
from towhee.executors import Executor
from towhee.executors.fusion import Failed, bare_values, fused_pairs
from towhee.executors.loops import SETTLING
from towhee.executors.ray.blocks import Blocks
from towhee.executors.ray.cluster import check_ray, ensure_started
from towhee.executors.ray.crossing import unpack
from towhee.executors.ray.flow import flow
from towhee.executors.ray.pools import pools
from towhee.executors.ray.stages import InvalidResources, Workers, stages, workers
from towhee.outcome import Outcome
from towhee.pipelines import FunctionCall
from towhee.row_numbers import NumberedRows, numbered

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from towhee.bound import BoundOperator
    from towhee.executors.fusion import Pairs
    from towhee.executors.ray.flow import Flow
    from towhee.executors.ray.stages import Concurrency
    from towhee.row_numbers import RowNumbers


class RayExecutor(Executor):
    """Runs on Ray: here, or on the cluster that ``ray_start`` has joined.

    Rows travel in blocks; a worker is a process that holds the operators and carries
    whole rows through all of them, as the local engine does.
    """

    def __init__(  # noqa: PLR0913  (each an option of `set_engine`)
        self,
        *,
        num_cpus: float = 1,
        num_gpus: float = 0,
        memory: int | None = None,
        concurrency: Concurrency | None = None,
        resources: Mapping[str, Mapping[str, Any]] | None = None,
        block_size: int | None = None,
        keep_order: bool = True,
    ) -> None:
        """Choose what each worker gets.

        :param memory: in bytes.
        :param concurrency: how many workers, or the fewest and the most; as many as
            the cluster has room for if it is not given.
        :param resources: by operator, what it is to have instead; it gets workers of
            its own then, and rows are handed over to them.
        :param block_size: rows that travel together; chosen by what they take if it is
            not given.
        :param keep_order: whether rows come in order, rather than as they are done.
        :raises InvalidResources: with every problem.
        :raises RayMissing: if Ray is not installed.
        """
        check_ray()
        self._default = Workers(num_cpus, num_gpus, memory, concurrency)
        if not isinstance(resources or {}, Mapping):
            raise InvalidResources(
                f"resources: expected a dictionary by operator, got {resources!r}"
            )
        self._resources = dict(resources or {})
        for changes in self._resources.values():
            workers(self._default, changes)
        if block_size is not None and (type(block_size) is not int or block_size < 1):
            raise InvalidResources(
                f"block_size: expected 1 or more, got {block_size!r}"
            )
        if not isinstance(keep_order, bool):
            raise InvalidResources(
                f"keep_order: expected True or False, got {keep_order!r}"
            )
        self._block_size = block_size
        self._keep_order = keep_order

    def run(
        self, bound: BoundPipeline, rows: Iterable[object], *, start: int = 0
    ) -> Iterator[Outcome]:
        """Give one outcome a row."""
        for row, value in self._pairs(bound, rows, start):
            if type(value) is Failed:
                yield Outcome(row, error=value.error)
            else:
                yield Outcome(row, value)

    def values(
        self, bound: BoundPipeline, rows: Iterable[object], *, start: int = 0
    ) -> Iterator[object]:
        """Give the values alone."""
        pairs = self._pairs(bound, rows, start, strict=True)
        return bare_values(pairs, wrapped=bound.ends_safe)

    def noted_values(
        self, bound: BoundPipeline, rows: Iterable[object], numbers: RowNumbers
    ) -> Iterator[object]:
        """Give the values alone, as ``values`` does."""
        pairs = self._pairs(bound, rows, 0, strict=True)
        return bare_values(pairs, wrapped=bound.ends_safe, numbers=numbers)

    def _pairs(
        self,
        bound: BoundPipeline,
        rows: Iterable[object],
        start: int,
        *,
        strict: bool = False,
    ) -> Generator[tuple[int, Any], None, None]:
        ensure_started()
        # Rows come numbered, and are boxed at the end: what fails on its way to the
        # first worker is kept like any other if failures are, from the start.
        groups = tuple(dropwhile(_only_keeps_failures, bound.groups))
        bound, settling = _split(BoundPipeline(groups).steps)
        split = pools(stages(bound, self._default, self._resources))
        given = rows.rows if isinstance(rows, NumberedRows) else rows
        blocks = Blocks(
            numbered(rows, start),
            size=self._block_size,
            # What else has a length may have to compute its rows for it.
            total=len(given) if isinstance(given, list | tuple | range) else 0,
            workers=sum(pool.most for pool in split),
            place="".join(map(str, bound.steps[:1])),
        )
        through = flow(split, ordered=self._keep_order, strict=strict)
        try:
            last = "".join(map(str, bound.steps[-1:]))
            pairs = _through(through, blocks, place=last)
            yield from fused_pairs(settling, pairs, strict=strict)
        finally:
            # Also when the caller stops early or is interrupted: no worker stays.
            through.close()


def _only_keeps_failures(group: tuple[object, ...]) -> bool:
    return all(getattr(step, "kind", None) == "safe" for step in group)


def _split(
    steps: Sequence[FunctionCall | BoundOperator],
) -> tuple[BoundPipeline, Sequence[FunctionCall]]:
    """What workers do; and what settles failures at the end, which is done here.

    A value that cannot leave its worker is settled like any other failure then.
    """
    settling: list[FunctionCall] = []
    for step in reversed(steps):
        if not (isinstance(step, FunctionCall) and step.kind in SETTLING):
            break
        settling.insert(0, step)
    rest = steps[: len(steps) - len(settling)]
    return BoundPipeline(tuple((step,) for step in rest)), settling


def _through(flow: Flow, blocks: Blocks, *, place: str) -> Pairs:
    """Keep as many blocks on their way as keep every worker busy, and no more.

    :param place: the step that rows come out of.
    """
    waiting, ended = 0, False
    while True:
        while not ended and waiting < flow.capacity:
            if (packed := blocks.cut()) is None:
                flow.finish()
                ended = True
            else:
                flow.put(packed)
                waiting += 1
        if (answer := flow.get()) is None:
            break
        waiting -= 1
        packed, seconds = answer
        blocks.learn(seconds)
        block = unpack(packed, place=place)
        yield from block.pairs
        if block.problem is not None:
            raise block.problem
    if blocks.problem is not None:
        raise blocks.problem
