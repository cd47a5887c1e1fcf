"""A graph to call: with one call's values, or with those of many."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, Self, cast

from towhee.executors.engines import get_executor
from towhee.outcome import OperatorFailed, short_repr
from towhee.pipe.debugging import Debugged, Watch
from towhee.pipe.one_row import one_row
from towhee.pipe.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from towhee.columns import Entity
    from towhee.pipe.columns import Column
    from towhee.pipe.data_queue import DataQueue
    from towhee.pipe.nodes import Node
    from towhee.pipe.plan import Through
    from towhee.pipe.stages import Stage


class Pipe:
    """A graph with its outputs; threads may call it at once."""

    def __init__(self, nodes: Sequence[Node], outputs: Mapping[str, Column]) -> None:
        self.nodes, self.outputs = nodes, outputs
        self._plan = Plan(nodes, outputs)
        self._executor = get_executor()
        self._parts = {stage: stage.split() for stage in self._plan.stages}
        self._loading = Lock()
        self._is_loaded = False

    def __call__(self, *values: Any) -> DataQueue:  # noqa: ANN401  (ports give the types)
        """Run the graph on one value for each input.

        >>> pipe.input("a", "b").map(("a", "b"), "c", max).output("c")(1, 2).get()
        [2]

        :raises OperatorFailed: naming the function or operator, and its row.
        :raises TypeError: if there are more values than inputs, or fewer.
        """
        self._check(values)
        (result,) = self._run([values], self._through_alone, alone=True)
        return result

    def batch(self, rows: Iterable[Any]) -> list[DataQueue]:
        """Run the graph on many rows: models get rows of all of them in one batch.

        >>> p = pipe.input("a").map("a", "b", str).output("b")
        >>> [result.get() for result in p.batch([1, 2])]
        [['1'], ['2']]

        :param rows: values; tuples of them if there are several inputs.
        :returns: a result a row, in order.
        :raises OperatorFailed: on the first row that fails, with its number.
        :raises TypeError: for text and bytes, which are one value.
        """
        return list(self._run(self._calls(rows), self._through))

    def preload(self) -> Self:
        """Load every operator now, rather than at the first call."""
        with self._loading:
            if not self._is_loaded:
                self._plan.load()
                self._is_loaded = True
        return self

    def flush(self) -> None:
        """Let operators that hold something back write it: call their ``flush``."""
        for operator in self._plan.operators():
            flush = getattr(operator, "flush", None)
            if flush is not None:
                flush()

    def debug(
        self,
        *values: Any,  # noqa: ANN401  (as in a call)
        batch: bool = False,
        tracer: bool = False,
        include: str | Sequence[str] = "",
        exclude: str | Sequence[str] = (),
    ) -> Debugged:
        """Run the graph, and say what each node did: its rows, its seconds.

        Nodes run one by one, rather than fused.

        >>> p = pipe.input("n").flat_map("n", "i", range).map("i", "t", str).output("t")
        >>> debugged = p.debug(3, tracer=True, include="map")
        >>> debugged.result.size, [node.rows_out for node in debugged.nodes]
        (3, [3, 3])
        >>> debugged.nodes[1].outputs
        [{'t': '0'}, {'t': '1'}, {'t': '2'}]

        :param batch: the one value is a list of rows, as in ``batch``.
        :param tracer: keep the inputs and outputs of nodes.
        :param include: regular expressions: only of nodes in which one is found.
        :param exclude: the same: not of nodes in which one is found.
        """
        chosen = (_each(include), _each(exclude)) if tracer else ()
        watch = Watch(self._plan, *chosen)
        if batch:
            if len(values) != 1:
                raise TypeError(
                    f"`debug` with `batch=True` takes one list of rows, not "
                    f"{len(values)} values"
                )
            result: Any = list(self._run(self._calls(values[0]), watch.through))
        else:
            self._check(values)
            (result,) = self._run([values], watch.through, alone=True)
        return Debugged(result, watch.reports())

    def _check(self, values: Sequence[Any]) -> None:
        if len(values) != len(self._plan.inputs):
            raise self._other_values(values)

    def _run(
        self, calls: Iterable[Sequence[Any]], through: Through, *, alone: bool = False
    ) -> Iterator[DataQueue]:
        if not self._is_loaded:
            self.preload()
        try:
            yield from self._plan.run(calls, through)
        except OperatorFailed as failure:
            raise self._plan.as_written(failure, alone=alone) from failure.__cause__

    def _through_alone(self, stage: Stage, rows: Iterator[Any]) -> Generator[Entity]:
        # A plan for one row would take longer than the row.
        one, many = self._parts[stage]
        if one.groups:
            rows = one_row(one, rows)
        if many.groups:
            rows = self._executor.values(many, rows)
        yield from rows

    def _through(self, stage: Stage, rows: Iterator[Entity]) -> Generator[Entity]:
        return cast("Generator[Entity]", self._executor.values(stage.bound, rows))

    def _calls(self, rows: Iterable[Any]) -> Iterator[Sequence[Any]]:
        several = hasattr(rows, "__iter__") or hasattr(rows, "__getitem__")
        if isinstance(rows, str | bytes) or not several:
            value = short_repr(rows)
            raise TypeError(f"{value} is one value; write `[value]` for its row")
        count = len(self._plan.inputs)
        return zip(rows) if count == 1 else map(self._several, rows)

    def _several(self, row: Any) -> Sequence[Any]:  # noqa: ANN401  (what was given)
        if isinstance(row, tuple | list):
            self._check(row)
            return row
        raise self._other_values(row)

    def _other_values(self, values: object) -> TypeError:
        names = ", ".join(self._plan.inputs)
        return TypeError(f"a value for each of ({names}) is needed, not {values!r}")

    def __reduce__(self) -> tuple[object, ...]:
        # What is loaded stays here.
        return Pipe, (self.nodes, self.outputs)

    def __repr__(self) -> str:
        inputs, *rest = self.nodes
        first = ", ".join(repr(column.name) for column in inputs.outputs)
        last = ", ".join(map(repr, self.outputs))
        return ".".join([f"pipe.input({first})", *map(str, rest), f"output({last})"])


def _each(patterns: str | Sequence[str]) -> Sequence[str]:
    return [patterns] if isinstance(patterns, str) else patterns
