"""What a debugged run tells."""

from __future__ import annotations

import time

import pytest

from towhee import pipe
from towhee.outcome import OperatorFailed


def slow(number: int) -> int:
    time.sleep(0.02)
    return number


GRAPH = (
    pipe.input("n")
    .flat_map("n", "i", range)
    .filter("i", "e", "i", lambda i: i % 2 == 0)
    .map("e", "m", slow)
    .window_all("m", "s", sum)
)


def test_every_node_tells_its_rows_and_its_own_seconds() -> None:
    debugged = GRAPH.output("s").debug(5)
    assert debugged.result.to_list() == [[6]]  # type: ignore[union-attr]
    assert [(node.rows_in, node.rows_out) for node in debugged.nodes] == [
        (1, 5),
        (5, 3),
        (3, 3),
        (1, 1),
    ]
    spread, kept, mapped, summed = (node.seconds for node in debugged.nodes)
    assert mapped >= 0.06
    assert max(spread, kept, summed) < 0.05


def test_a_batch_is_debugged_as_one_run() -> None:
    debugged = GRAPH.output("s").debug([1, 0, 3], batch=True)
    assert [queue.to_list() for queue in debugged.result] == [[[0]], [], [[2]]]
    assert [node.rows_out for node in debugged.nodes] == [4, 3, 3, 2]


def test_a_batch_is_debugged_as_one_list() -> None:
    with pytest.raises(TypeError) as caught:
        GRAPH.output("s").debug(1, 2, batch=True)
    assert str(caught.value) == (
        "`debug` with `batch=True` takes one list of rows, not 2 values"
    )


def test_inputs_and_outputs_are_kept_on_request() -> None:
    pipeline = GRAPH.output("s")
    assert all(not node.inputs for node in pipeline.debug(3).nodes)
    spread, kept, mapped, summed = pipeline.debug(3, tracer=True).nodes
    assert (spread.inputs, spread.outputs) == ([{"n": 3}], [{"i": i} for i in range(3)])
    assert kept.inputs == [{"i": 0}, {"i": 1}, {"i": 2}]
    assert kept.outputs == [{"e": 0}, {"e": 2}]
    assert mapped.outputs == [{"m": 0}, {"m": 2}]
    assert (summed.inputs, summed.outputs) == ([{"m": [0, 2]}], [{"s": 2}])


@pytest.mark.parametrize(
    ("include", "exclude", "traced"),
    [
        ("map", "", []),
        ("map", (), ["flat_map", "map"]),
        (["^map", "filter"], (), ["filter", "map"]),
        ("", ["map", "window"], ["filter"]),
    ],
)
def test_nodes_are_chosen_by_patterns(
    include: str | list[str], exclude: str | list[str], traced: list[str]
) -> None:
    nodes = GRAPH.output("s").debug(3, tracer=True, include=include, exclude=exclude)
    names = [node.name.partition("[")[0] for node in nodes.nodes if node.outputs]
    assert names == traced


def test_a_report_is_a_table() -> None:
    header, *lines = str(GRAPH.output("s").debug(5)).splitlines()
    assert header.split()[:3] == ["stage", "rows", "seconds"]
    assert [line.split("  ")[0] for line in lines] == [
        "flat_map['n', 'i'](range)",
        "filter['i', 'e'](<lambda>)",
        "map['e', 'm'](slow)",
        "window_all['m', 's'](sum)",
    ]


def test_a_failure_is_told_as_in_a_call() -> None:
    pipeline = pipe.input("x").map("x", "y", int).output("y")
    with pytest.raises(OperatorFailed) as debugged:
        pipeline.debug("one")
    with pytest.raises(OperatorFailed) as called:
        pipeline("one")
    assert str(debugged.value) == str(called.value)
    with pytest.raises(TypeError, match="is needed"):
        pipeline.debug()
