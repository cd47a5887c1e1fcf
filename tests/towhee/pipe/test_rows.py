"""Which rows come out: what Towhee 1.1.3 gave for these graphs, recorded from it."""

from __future__ import annotations

import copy
import pickle
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towhee import pipe
from towhee.pipe import NOTHING
from towhee.pipe.rows import UnorderedTime
from towhee.pipe.windows import windows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from towhee.pipe import Graph


def counting(stop: int) -> Iterator[int]:
    yield from range(stop)


def both_ways(stop: int) -> Iterator[tuple[int, int]]:
    for number in range(stop):
        yield number, -number


def is_even(number: int) -> bool:
    return number % 2 == 0


def pair(*values: object) -> tuple[object, ...]:
    return values


ONE = pipe.input("n")
MANY = ONE.flat_map("n", "i", range)
EVEN = MANY.filter("i", "e", "i", is_even)
BIG = ONE.filter("n", "big", "n", lambda n: n > 10)
SUM = MANY.window_all("i", "s", sum)
PLUS = ONE.map("n", "plus", lambda n: n + 1)
LONGER = ONE.flat_map("n", "j", lambda n: range(n + 2))
INNER = pipe.input("x").map("x", "y", lambda x: x + 1).output("y")
SPREAD = pipe.input("x").flat_map("x", "y", range).output("y")
TOTAL = pipe.input("x").window_all("x", "y", sum).output("y")

CASES: dict[str, tuple[Graph, str, int, list[list[Any]]]] = {
    "a generator's values are a list": (
        ONE.map("n", "l", counting),
        "l",
        3,
        [[[0, 1, 2]]],
    ),
    "or a list for each output": (
        ONE.map("n", ("a", "b"), both_ways),
        "a b",
        2,
        [[[0, 1], [0, -1]]],
    ),
    "also if there are none": (
        ONE.map("n", ("a", "b"), both_ways),
        "a b",
        0,
        [[[], []]],
    ),
    "a scalar is repeated": (MANY, "n i", 2, [[2, 0], [2, 1]]),
    "also one that was made later": (
        MANY.map("n", "m", lambda n: n * 10),
        "i m",
        2,
        [[0, 20], [1, 20]],
    ),
    "but not for no rows": (MANY, "n i", 0, []),
    "queues are not repeated": (
        MANY.flat_map("i", "k", range),
        "n i k",
        3,
        [[3, 0, 0], [3, 1, 0], [3, 2, 1]],
    ),
    "the longest says how many rows": (
        MANY.flat_map("i", "k", range),
        "i k",
        4,
        [[0, 0], [1, 0], [2, 1], [3, 0], [NOTHING, 1], [NOTHING, 2]],
    ),
    "functions get pairs": (
        MANY.flat_map("i", "k", range).map(("i", "k"), "p", pair),
        "p i",
        4,
        [[(0, 0), 0], [(1, 0), 1], [(2, 1), 2], [(3, 0), 3]],
    ),
    "a filter closes up": (
        EVEN,
        "n i e",
        5,
        [[5, 0, 0], [5, 1, 2], [5, 2, 4], [5, 3, NOTHING], [5, 4, NOTHING]],
    ),
    "a filter under the same names": (
        MANY.filter(("n", "i"), ("n", "i"), "i", is_even),
        "n i",
        3,
        [[3, 0], [3, 2]],
    ),
    "a filter that drops all": (MANY.filter("i", "e", "i", bool), "n e", 1, []),
    "a filter of scalars": (BIG, "n big", 11, [[11, 11]]),
    "that drops": (BIG, "n big", 1, []),
    "a scalar that is missing leaves no rows": (
        BIG.flat_map("n", "i", range),
        "i big",
        3,
        [],
    ),
    "and is no pair": (
        BIG.flat_map("n", "i", range).map(("i", "big"), "p", pair),
        "p",
        3,
        [],
    ),
    "nor in a window": (
        BIG.flat_map("n", "i", range).window_all(("i", "big"), "p", pair),
        "p",
        3,
        [],
    ),
    "windows overlap, and end short": (
        MANY.window("i", "w", 3, 2, list),
        "w",
        6,
        [[[0, 1, 2]], [[2, 3, 4]], [[4, 5]]],
    ),
    "windows with gaps": (
        MANY.window("i", "w", 2, 3, list),
        "w",
        8,
        [[[0, 1]], [[3, 4]], [[6, 7]]],
    ),
    "fewer rows than a window": (MANY.window("i", "w", 9, 9, list), "w", 2, [[[0, 1]]]),
    "no rows, no window": (MANY.window("i", "w", 9, 9, list), "w", 0, []),
    "a window beside rows": (
        MANY.window("i", "w", 2, 2, sum),
        "n i w",
        3,
        [[3, 0, 1], [3, 1, 2], [3, 2, NOTHING]],
    ),
    "a scalar in a window is repeated": (
        MANY.window(("n", "i"), "w", 2, 2, pair),
        "w",
        3,
        [[([3, 3], [0, 1])], [([3], [2])]],
    ),
    "columns of a window may be of different lengths": (
        EVEN.window(("i", "e"), "w", 2, 2, pair),
        "w",
        6,
        [[([0, 1], [0, 2])], [([2, 3], [4])], [([4, 5], [])]],
    ),
    "windows of windows": (
        MANY.window("i", "w", 2, 2, sum).window("w", "v", 2, 1, list),
        "v",
        6,
        [[[1, 5]], [[5, 9]], [[9]]],
    ),
    "all rows give a scalar": (SUM, "i s", 3, [[0, 3], [1, 3], [2, 3]]),
    "none, none": (SUM, "n s", 0, []),
    "a scalar of all rows goes back to each": (
        SUM.map(("i", "s"), "d", lambda i, s: s - i),
        "i d",
        3,
        [[0, 3], [1, 2], [2, 1]],
    ),
    "all rows of a scalar": (ONE.window_all("n", "l", list), "l", 3, [[[3]]]),
    "branches of one length": (MANY.concat(PLUS), "i plus", 2, [[0, 3], [1, 3]]),
    "branches of different lengths": (
        MANY.concat(LONGER),
        "i j",
        1,
        [[0, 0], [NOTHING, 1], [NOTHING, 2]],
    ),
    "are paired": (
        MANY.concat(LONGER).map(("i", "j"), "p", pair),
        "i j p",
        1,
        [[0, 0, (0, 0)], [NOTHING, 1, NOTHING], [NOTHING, 2, NOTHING]],
    ),
    "names may be written anew": (
        ONE.flat_map("n", "n", range).map("n", "n", lambda n: n + 10),
        "n",
        2,
        [[10], [11]],
    ),
    "a function without outputs": (MANY.map("i", (), str), "n i", 1, [[1, 0]]),
    "a graph in a graph": (MANY.map("i", "k", INNER), "i k", 2, [[0, 1], [1, 2]]),
    "that spreads": (ONE.map("n", "k", SPREAD), "n k", 2, [[2, 0], [2, 1]]),
    "that takes all rows": (MANY.map("i", "k", TOTAL), "i k", 2, [[0, 1], [1, 1]]),
}


@pytest.mark.parametrize("name", CASES)
def test_rows_are_those_that_towhee_gave(name: str) -> None:
    graph, outputs, value, rows = CASES[name]
    pipeline = graph.output(*outputs.split())
    assert pipeline(value).to_list() == rows
    # A call among others gives the same rows.
    assert [queue.to_list() for queue in pipeline.batch([0, value, 0])][1] == rows


@pytest.mark.parametrize(
    ("size", "step", "seconds", "expected"),
    [
        (3, 3, [0, 1, 2, 8, 9, 10], [[0, 1, 2], [8], [9, 10]]),
        (3, 1, [0, 1, 2, 8], [[0, 1, 2], [1, 2], [2], [8]]),
        (1, 3, [0, 1, 2, 3, 8, 9], [[0], [3], [9]]),
        (5, 2, [1, 1, 7, 20], [[1, 1], [7], [20]]),
        (2, 1, [], []),
    ],
)
def test_time_windows_leave_out_what_has_no_rows(
    size: int, step: int, seconds: list[int], expected: list[list[int]]
) -> None:
    graph = pipe.input("rows").flat_map("rows", ("ms", "second"), iter)
    graph = graph.time_window("second", "window", "ms", size, step, list)
    rows = [(second * 1000, second) for second in seconds]
    given_rows = graph.output("window")(rows).to_list()
    assert given_rows == [[window] for window in expected]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0, 5000, 1000], "`time_window` got the time 1000 after 5000"),
        ([-1], "`time_window` got the time -1 after 0"),
        ([3, float("nan")], "`time_window` got the time nan after 3"),
        ([None], "`time_window` got the time None after 0"),
        ([3, float("inf")], "`time_window` got the time inf after 3"),
    ],
)
def test_no_row_is_lost_between_time_windows(times: list[Any], message: str) -> None:
    graph = pipe.input("times").flat_map("times", "ms", iter)
    graph = graph.time_window("ms", "window", "ms", 1, 1, list)
    with pytest.raises(UnorderedTime) as caught:
        graph.output("window")(times)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", [" call", " passed"])
def test_a_column_may_have_any_name(name: str) -> None:
    graph = pipe.input("n", name).flat_map("n", "i", range).map(("i", name), "y", pair)
    graph = graph.window_all("i", "sum", sum).map("y", name, str)
    results = graph.output(name, "sum").batch([(1, "a"), (2, "b")])
    assert [result.to_list() for result in results] == [
        [["(0, 'a')", 0]],
        [["(0, 'b')", 1], ["(1, 'b')", 1]],
    ]
    assert pipe.input(name).output(name)("a").get() == ["a"]


def test_a_name_written_anew_is_not_what_others_read() -> None:
    trunk = pipe.input("a", "n")
    many = trunk.flat_map("n", "b", range).map(("a", "b"), "c", pair)
    late = trunk.map("a", "a", lambda a: a + 10).map("a", "d", str)
    assert many.concat(late).output("c", "d")(2, 2).to_list() == [
        [(2, 0), "12"],
        [(2, 1), "12"],
    ]


def test_what_a_filter_lets_pass_has_its_own_names() -> None:
    graph = pipe.input("a").flat_map("a", "b", range)
    graph = graph.filter(("a", "b", "b"), ("x", "y", "z"), "b", is_even)
    graph = graph.map("x", "x", str).map("y", "y", lambda y: y + 10)
    graph = graph.map(("a", "x", "y", "z"), "all", pair)
    assert graph.output("all")(3).to_list() == [[(3, "3", 10, 0)], [(3, "3", 12, 2)]]


@given(st.integers(0, 30), st.integers(1, 9), st.integers(1, 9))
def test_windows_of_numbered_rows_are_slices(count: int, size: int, step: int) -> None:
    rows = list(range(count))
    slices = [rows[start : start + size] for start in range(0, count, step)]
    assert list(windows(enumerate(rows), size, step)) == slices


def test_windows_hold_no_more_than_they_need() -> None:
    rows = iter(range(1_000_000_000))
    first = list(islice(windows(enumerate(rows), 2, 2), 2))
    assert first == [[0, 1], [2, 3]]
    assert next(rows) == 5


def test_nothing_is_false_and_alone() -> None:
    assert not NOTHING
    assert repr(NOTHING) == "NOTHING"
    assert pickle.loads(pickle.dumps(NOTHING)) is copy.deepcopy(NOTHING) is NOTHING  # noqa: S301  (our own)
