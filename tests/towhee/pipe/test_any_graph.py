"""Any graph gives what its nodes give one by one, a whole column at a time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from towhee import pipe
from towhee.pipe import NOTHING, Graph

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Reference:
    """A column: what a call has of it; a scalar is one value or none."""

    values: tuple[Any, ...]
    is_queue: bool


KINDS = ["map", "flat_map", "filter", "window", "window_all"]
Columns: TypeAlias = "dict[str, Reference]"


def total(*values: Any) -> int:  # noqa: ANN401  (numbers, or lists of numbers)
    return sum(sum(value) if isinstance(value, list) else value for value in values) % 7


def several(*values: int) -> range:
    return range(total(*values) % 4)


def is_odd(*values: int) -> bool:
    return total(*values) % 2 == 1


def rows(columns: Sequence[Reference]) -> list[tuple[Any, ...]]:
    """Rows up to the longest queue; none where a scalar is missing."""
    if not all(column.values or column.is_queue for column in columns):
        return []
    queues = [len(column.values) for column in columns if column.is_queue]
    size = max(queues, default=1)
    padded = (c.values if c.is_queue else c.values * size for c in columns)
    return list(zip_longest(*padded, fillvalue=NOTHING))


def whole(columns: Sequence[Reference]) -> list[tuple[Any, ...]]:
    return [row for row in rows(columns) if NOTHING not in row]


def lists(held: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    columns = zip(*held, strict=True)
    return [[value for value in column if value is not NOTHING] for column in columns]


Step: TypeAlias = "tuple[str, tuple[str, ...], str]"


def referred(step: Step, known: Columns) -> Columns:
    """Add what a step makes to the columns of one call."""
    kind, inputs, output = step
    read = [known[name] for name in inputs]
    queue = any(column.is_queue for column in read)
    held = rows(read)
    windows = [held[start : start + 2] for start in range(0, len(held), 2)]
    made = {
        "map": lambda: ((total(*row) for row in whole(read)), queue),
        "flat_map": lambda: ((x for row in whole(read) for x in several(*row)), True),
        "filter": lambda: ((row[0] for row in whole(read) if is_odd(*row)), queue),
        "window": lambda: ((total(*lists(each)) for each in windows), True),
        "window_all": lambda: ([total(*lists(held))] if held else [], False),
    }[kind]()
    return {**known, output: Reference(tuple(made[0]), made[1])}


def written(step: Step, graph: Graph) -> Graph:
    kind, inputs, output = step
    methods: dict[str, Callable[[], Graph]] = {
        "map": lambda: graph.map(inputs, output, total),
        "flat_map": lambda: graph.flat_map(inputs, output, several),
        "filter": lambda: graph.filter(inputs[0], output, inputs, is_odd),
        "window": lambda: graph.window(inputs, output, 2, 2, total),
        "window_all": lambda: graph.window_all(inputs, output, total),
    }
    return methods[kind]()


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[Graph], list[tuple[int, Step]]]:
    """Graphs, each one step longer than one of those before it, and these steps."""
    grown, steps = [pipe.input("a")], []
    for _ in range(draw(st.integers(1, 9))):
        branch = draw(st.integers(0, len(grown) - 1))
        names = st.sampled_from(sorted(grown[branch].columns))
        step = (
            draw(st.sampled_from(["map", "map", "map", *KINDS])),
            tuple(draw(st.lists(names, min_size=1, max_size=2, unique=True))),
            draw(st.sampled_from("abc")),
        )
        grown.append(written(step, grown[branch]))
        steps.append((branch, step))
    return grown, steps


@settings(max_examples=300)
@given(trees(), st.lists(st.integers(0, 6), max_size=3), st.data())
def test_any_graph_gives_what_its_nodes_give_one_by_one(
    tree: tuple[list[Graph], list[tuple[int, Step]]],
    calls: list[int],
    data: st.DataObject,
) -> None:
    grown, steps = tree
    made = [("a", 0), *((step[2], n) for n, (_, step) in enumerate(steps, 1))]
    numbers = st.integers(0, len(steps))
    chosen = data.draw(st.lists(numbers, min_size=1, max_size=3, unique=True))
    # Under names of their own, columns of all branches can be given.
    columns = {f"c{n}": grown[n].columns[made[n][0]] for n in chosen}
    graph = Graph(grown[0].concat(*grown).nodes, columns)
    results = [queue.to_list() for queue in graph.output(*columns).batch(calls)]
    expected = []
    for call in calls:
        known: list[Columns] = [{"a": Reference((call,), is_queue=False)}]
        for branch, step in steps:
            known.append(referred(step, known[branch]))
        given_out = [known[n][made[n][0]] for n in chosen]
        expected.append([list(row) for row in rows(given_out)])
    assert results == expected
