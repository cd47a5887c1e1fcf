"""What holds while a graph runs: failures, threads, memory, what functions leave."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from towhee import DataCollection, pipe
from towhee.columns import Entity
from towhee.outcome import OperatorFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from towhee.pipe import Graph


def increment(number: int) -> int:
    return number + 1


def fail(*values: object) -> Any:  # noqa: ANN401
    message = f"cannot take {values}"
    raise ValueError(message)


NUMBERS = pipe.input("n").flat_map("n", "i", range)


def test_a_flat_map_of_twenty_thousand_rows_goes_through_ten_maps() -> None:
    graph = NUMBERS
    for _ in range(10):
        graph = graph.map("i", "i", increment)
    began = time.perf_counter()
    result = graph.output("i")(20_000)
    assert time.perf_counter() - began < 10  # It hung; two microseconds make 0.44.
    assert result.size == 20_000
    assert result.to_list()[-1] == [20_009]


def test_rows_of_a_result_keep_only_what_is_given_out() -> None:
    graph = NUMBERS.map("i", "big", lambda _: bytes(10_000)).map("big", "size", len)
    tracemalloc.start()
    try:
        result = graph.output("size")(5_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.size == 5_000
    assert peak < 1_000_000


def test_ten_branches_of_a_flat_map_are_joined_row_by_row() -> None:
    branches = [NUMBERS.map("i", f"i{n}", increment) for n in range(10)]
    graph = NUMBERS.concat(*branches)
    rows = graph.output("i", *(f"i{n}" for n in range(10)))(20_000).to_list()
    assert len(rows) == 20_000
    assert rows[-1] == [19_999, *[20_000] * 10]


FAILING: dict[str, tuple[Callable[[Graph], Graph], str, dict[str, object]]] = {
    "map": (
        lambda graph: graph.map("i", "x", fail),
        "map['i', 'x'](fail)",
        {"n": 1, "i": 0},
    ),
    "flat_map": (
        lambda graph: graph.flat_map("i", "x", fail),
        "flat_map['i', 'x'](fail)",
        {"n": 1, "i": 0},
    ),
    "filter": (
        lambda graph: graph.filter("i", "x", "n", fail),
        "filter['n', 'x'](fail)",
        {"n": 1, "i": 0},
    ),
    "window": (
        lambda graph: graph.window("i", "x", 2, 2, fail),
        "window['i', 'x'](fail)",
        {"i": [0]},
    ),
    "window_all": (
        lambda graph: graph.window_all("i", "x", fail),
        "window_all['i', 'x'](fail)",
        {"i": [0]},
    ),
    "time_window": (
        lambda graph: graph.time_window("i", "x", "i", 2, 2, fail),
        "time_window['i', 'x'](fail)",
        {"i": [0]},
    ),
    "after a window": (
        lambda graph: graph.window_all("i", "s", sum).map(("i", "s"), "x", fail),
        "map[('i', 's'), 'x'](fail)",
        {"i": 0, "s": 0},
    ),
}


@pytest.mark.parametrize("node", FAILING)
def test_a_failure_names_the_node_the_row_and_its_input(node: str) -> None:
    write, name, columns = FAILING[node]
    pipeline = write(NUMBERS).output("x")
    with pytest.raises(OperatorFailed) as caught:
        pipeline(1)
    assert caught.value.operator == name
    assert caught.value.row is None
    assert caught.value.input == Entity(**columns)
    assert isinstance(caught.value.__cause__, ValueError)

    with pytest.raises(OperatorFailed) as caught:
        pipeline.batch([0, 0, 1, 5])
    assert caught.value.row == 2
    assert caught.value.input == Entity(**columns)


def test_a_failure_is_one_sentence() -> None:
    with pytest.raises(OperatorFailed) as caught:
        pipe.input("x").map("x", "x", int).output("x").batch(["1", "one"])
    assert str(caught.value) == (
        "`map['x', 'x'](int)` failed on row 1, Entity(x='one'): "
        "ValueError: invalid literal for int() with base 10: 'one'"
    )


def test_a_failure_shows_the_newest_column_of_a_name() -> None:
    graph = pipe.input("x").map("x", "x", increment).map("x", "x", str)
    with pytest.raises(OperatorFailed) as caught:
        graph.map("x", "y", fail).output("y")(1)
    assert caught.value.input == Entity(x="2")


def test_a_wrong_number_of_results_fails_with_its_row() -> None:
    graph = pipe.input("x").map("x", ("a", "b"), lambda x: (x, x, x))
    with pytest.raises(OperatorFailed, match=r"too many values to unpack"):
        graph.output("a")(1)


def test_what_is_no_iterable_cannot_be_many_rows() -> None:
    with pytest.raises(OperatorFailed, match=r"'int' object is not iterable"):
        pipe.input("x").flat_map("x", "y", increment).output("y")(1)


@pytest.mark.parametrize("values", [(), (1,), (1, 2, 3)])
def test_a_call_brings_a_value_for_each_input(values: tuple[int, ...]) -> None:
    pipeline = pipe.input("a", "b").output("a")
    with pytest.raises(TypeError) as caught:
        pipeline(*values)
    text = f"a value for each of (a, b) is needed, not {values!r}"
    assert str(caught.value) == text
    with pytest.raises(TypeError) as caught:
        pipeline.batch([(1, 2), values])
    assert str(caught.value) == text


@pytest.mark.parametrize("rows", ["ab", b"ab", 3])
@pytest.mark.parametrize("inputs", ["a", "ab"])
def test_one_value_is_no_batch(rows: Any, inputs: str) -> None:  # noqa: ANN401
    pipeline = pipe.input(*inputs).output("a")
    for call in (pipeline.batch, lambda rows: pipeline.debug(rows, batch=True)):
        with pytest.raises(
            TypeError, match=r"is one value; write `\[value\]` for its row$"
        ):
            call(rows)


def test_a_row_of_one_input_may_be_a_tuple() -> None:
    pipeline = pipe.input("a").output("a")
    assert pipeline.batch([(1, 2)])[0].get() == [(1, 2)]
    assert pipeline((1, 2)).get() == [(1, 2)]


def test_a_pipe_works_after_a_failure() -> None:
    pipeline = pipe.input("x").map("x", "y", lambda x: 1 / x).output("y")
    for _ in range(3):
        with pytest.raises(OperatorFailed):
            pipeline(0)
        assert pipeline(1).get() == [1.0]


def test_what_gives_the_values_fails_as_itself() -> None:
    pipeline = NUMBERS.map("i", "j", increment).output("j")
    with pytest.raises(OperatorFailed) as caught:
        pipeline.batch(DataCollection(["1", "x"]).stream().map(int))
    assert caught.value.operator == "map(int)"
    assert (caught.value.row, caught.value.input) == (1, "x")
    inner = pipe.input("x").map("x", "y", int).output("y")
    with pytest.raises(OperatorFailed) as caught:
        pipeline.batch(inner(text).get()[0] for text in ("1", "x"))
    assert caught.value.input == Entity(x="x")


def test_a_failure_ends_what_was_begun() -> None:
    ended = []

    def rows(count: int) -> Iterator[int]:
        try:
            yield from range(count)
        finally:
            ended.append(count)

    graph = pipe.input("n").flat_map("n", "i", rows).map("i", "x", lambda i: 1 // i)
    with pytest.raises(OperatorFailed):
        graph.output("x")(3)
    gc.collect()
    assert ended == [3]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_is_not_a_failure(error: type[BaseException]) -> None:
    def interrupted(_: object) -> None:
        raise error

    with pytest.raises(error):
        pipe.input("x").map("x", "y", interrupted).output("y")(1)


def test_threads_may_call_one_pipe() -> None:
    graph = NUMBERS.map("i", "j", increment).window_all("j", "s", sum)
    branch = NUMBERS.filter("i", "e", "i", lambda i: i % 2 == 0)
    pipeline = graph.concat(branch).output("s", "e")
    start = threading.Barrier(8)

    def call(number: int) -> bool:
        start.wait(10)
        return all(
            pipeline(n).to_list()[0] == [n * (n + 1) // 2, 0]
            for n in range(number + 1, number + 40)
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(call, range(8)))


def test_threads_may_share_one_result() -> None:
    result = NUMBERS.output("i")(5_000)
    with ThreadPoolExecutor(4) as pool:
        taken = [
            row
            for rows in pool.map(lambda _: result.to_list(), range(4))
            for row in rows
        ]
    assert sorted(taken) == [[number] for number in range(5_000)]


def test_a_pipe_calls_itself_in_its_own_function() -> None:
    def halves(number: int) -> int:
        return 0 if number == 0 else pipeline(number // 2).get()[0] + 1

    pipeline: Any = pipe.input("n").map("n", "depth", halves).output("depth")
    assert pipeline(8).get() == [4]


def test_a_batch_is_as_many_results_as_rows() -> None:
    pipeline = NUMBERS.map("i", "j", increment).output("n", "j")
    results = pipeline.batch(iter([2, 0, 0, 1, 0]))
    assert [queue.to_list() for queue in results] == [
        [[2, 1], [2, 2]],
        [],
        [],
        [[1, 1]],
        [],
    ]
    assert pipeline.batch([]) == []


def test_what_passes_by_is_not_kept() -> None:
    # Fifty times two million bytes pass; both branches read them, at different paces.
    trunk = pipe.input("n").map("n", "big", lambda n: bytes(2_000_000 + n))
    left = trunk.flat_map("big", "a", lambda big: [len(big)] * 3)
    right = trunk.flat_map("big", "b", lambda big: [len(big)])
    size = trunk.map("big", "size", len)
    pipeline = left.concat(right, size).output("n", "a", "b", "size")
    tracemalloc.start()
    try:
        results = pipeline.batch(range(50))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert results[49].get() == [49, *[2_000_049] * 3]
    assert peak < 12_000_000


def test_rows_of_a_window_are_not_kept() -> None:
    graph = NUMBERS.map("i", "big", lambda _: bytes(10_000)).window(
        "big", "sizes", 10, 10, lambda rows: sum(map(len, rows))
    )
    tracemalloc.start()
    try:
        result = graph.window_all("sizes", "total", sum).output("total")(5_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.get() == [50_000_000]
    assert peak < 1_000_000


def test_a_thousand_calls_leave_nothing_behind() -> None:
    pipeline = NUMBERS.map("i", "j", increment).window_all("j", "s", sum).output("s")
    pipeline(3)
    before = threading.active_count()
    tracemalloc.start()
    try:
        for _ in range(1_000):
            pipeline(3)
        gc.collect()
        left = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert threading.active_count() == before
    assert left < 20_000


def test_functions_run_for_what_they_do_though_nobody_reads_it() -> None:
    seen: list[object] = []
    graph = NUMBERS.map("i", (), seen.append).flat_map("i", "k", range)
    graph = graph.window("k", (), 2, 2, seen.append).window_all("n", (), seen.append)
    assert graph.output("n")(3).get() == [3]
    assert sorted(map(str, seen)) == ["0", "1", "2", "[0, 0]", "[1]", "[3]"]


def test_flush_and_preload_are_there_without_operators() -> None:
    pipeline = NUMBERS.output("i")
    pipeline.flush()
    assert pipeline.preload() is pipeline
