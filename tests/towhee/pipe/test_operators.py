"""Operators in graphs: found and held against each other, loaded once, in batches."""

from __future__ import annotations

import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from towhee import ops, pipe, pipeline
from towhee.binding import PortMismatch
from towhee.columns import Entity
from towhee.options import InvalidOptions
from towhee.outcome import OperatorFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MODEL = """
class Subject(ModelOperator):
    batch_size = 8
    loads = []

    def __init__(self, add=1):
        self.add, self.batches = add, []
        self.loads.append(self)

    def prepare(self, number):
        if number < 0:
            raise ValueError("less than nothing")
        return number

    def predict(self, batch):
        self.batches.append(len(batch))
        return [number + self.add for number in batch]

    def describe(self):
        return {"loads": len(self.loads), "batches": list(self.batches)}
"""
ADD = {"add": {"type": "integer"}}
IMAGE = [{"name": "image", "type": "image"}]
VECTOR = [{"name": "vector", "type": "vector", "dtype": "float32", "shape": [2]}]
TWO = [{"name": "low", "type": "any"}, {"name": "high", "type": "any"}]
NUMBERS = pipe.input("n").flat_map("n", "i", range)


@pytest.fixture
def plus(publish: Callable[..., Path], request: pytest.FixtureRequest) -> None:
    # Equal code would be one operator, and its counts those of all tests.
    publish(f"{MODEL}\n# {request.node.name}\n", name="test/plus", parameters=ADD)


@pytest.mark.usefixtures("plus")
def test_an_operator_is_taken_loaded_called_or_by_name() -> None:
    named = ("test/plus", ops.test.plus)
    for operator in (ops.test.plus(), pipeline("test/plus"), *named):
        p = pipe.input("a").map("a", "b", operator).output("b")
        assert p(1).get() == [2]
    assert pipe.input("a").map("a", "b", ops.test.plus(add=5)).output("b")(1).get() == [
        6
    ]


@pytest.mark.usefixtures("plus")
def test_a_loaded_operator_is_not_loaded_again() -> None:
    operator = ops.test.plus()
    p = pipe.input("a").map("a", "b", operator).map("b", "c", operator).output("c")
    assert p.preload()(1).get() == [3]
    assert operator.describe()["steps"][0]["loads"] == 1  # type: ignore[index]


@pytest.mark.usefixtures("plus")
def test_rows_of_many_calls_share_batches() -> None:
    operator = ops.test.plus(add=10)
    p = NUMBERS.map("i", "j", operator).output("n", "j")
    results = p.batch([3, 0, 5, 1, 40])
    assert [queue.size for queue in results] == [3, 0, 5, 1, 40]
    assert results[2].to_list() == [[5, 10 + i] for i in range(5)]
    batches = operator.describe()["steps"][0]["batches"]  # type: ignore[index]
    assert sum(batches) == 49
    assert len(batches) < 20


@pytest.mark.usefixtures("plus")
def test_an_operator_may_be_in_every_kind_of_node() -> None:
    plus = ops.test.plus()
    assert NUMBERS.filter("i", "k", "i", plus).output("k")(2).to_list() == [[0], [1]]
    minus = ops.test.plus(add=-1)
    assert NUMBERS.filter("i", "k", "i", minus).output("k")(3).to_list() == [[0], [2]]
    doubled = NUMBERS.map("i", "l", lambda i: [i, i])
    with pytest.raises(OperatorFailed, match=r"`test/plus` failed on"):
        doubled.flat_map("l", "k", plus).output("k")(1)


def test_an_operator_may_give_rows_and_take_windows(
    publish: Callable[..., Path],
) -> None:
    publish(
        "class Subject(Operator):\n"
        "    def __call__(self, value):\n"
        "        return [str(each) for each in value]\n",
        name="test/texts",
    )
    texts = ops.test.texts()
    rows = pipe.input("a").flat_map("a", "b", texts).output("a", "b")([1, 2]).to_list()
    assert rows == [[[1, 2], "1"], [[1, 2], "2"]]
    assert NUMBERS.window("i", "w", 2, 2, texts).output("w")(3).to_list() == [
        [["0", "1"]],
        [["2"]],
    ]
    assert NUMBERS.window_all("i", "w", "test/texts").output("w")(1).get() == [["0"]]


def test_an_operator_with_several_ports_takes_and_makes_columns(
    publish: Callable[..., Path],
) -> None:
    publish(
        "class Subject(Operator):\n"
        "    def __call__(self, a, b):\n"
        "        return min(a, b), max(a, b)\n",
        name="test/order",
        inputs=TWO,
        outputs=TWO,
    )
    p = pipe.input("a", "b").map(("b", "a"), ("low", "high"), ops.test.order())
    assert p.output("high", "low")(1, 2).get() == [2, 1]
    with pytest.raises(PortMismatch) as caught:
        pipe.input("a", "b", "c").map(("a", "b", "c"), "d", "test/order").output("d")
    assert str(caught.value) == (
        "`test/order` takes `low` and `high`, "
        "which are not the 3 columns [('a', 'b', 'c'), 'd']"
    )


def test_ports_are_held_against_each_other_at_the_output(
    publish: Callable[..., Path],
) -> None:
    publish("class Subject(Operator): ...\n# a", name="test/embed", outputs=VECTOR)
    publish("class Subject(Operator): ...\n# b", name="test/show", inputs=IMAGE)
    graph = pipe.input("a").map("a", "v", "test/embed")
    for branch in (
        graph.map("v", "s", "test/show"),
        graph.flat_map("a", "x", range).map("v", "s", "test/show"),
        graph.concat(graph.map("v", "s", "test/show")),
    ):
        with pytest.raises(PortMismatch) as caught:
            branch.output("s")
        assert str(caught.value).startswith("`test/show` cannot follow `test/embed`: ")
    # What a function put there may be an image.
    graph.map("v", "v", str).map("v", "s", "test/show").output("s")


@pytest.mark.usefixtures("plus")
def test_unknown_options_are_refused_at_the_output() -> None:
    with pytest.raises(InvalidOptions):
        ops.test.plus(ad=1)


@pytest.mark.usefixtures("plus")
def test_an_operators_failure_names_it_with_the_row_and_its_columns() -> None:
    graph = pipe.input("a").map("a", "a", lambda a: a - 1)
    p = graph.map("a", "b", "test/plus").output("b")
    with pytest.raises(OperatorFailed) as caught:
        p.batch([2, 1, 0])
    assert str(caught.value) == (
        "`test/plus` failed on row 2, Entity(a=-1): ValueError: less than nothing"
    )
    assert caught.value.input == Entity(a=-1)
    with pytest.raises(OperatorFailed) as caught:
        p(0)
    assert caught.value.row is None
    assert p(1).get() == [1]


@pytest.mark.usefixtures("plus")
def test_a_call_takes_its_one_row_through_at_once_and_many_rows_in_batches() -> None:
    one, many = ops.test.plus(add=1), ops.test.plus(add=2)
    graph = pipe.input("n").map("n", "m", one).filter("m", "m", "m", bool)
    graph = graph.flat_map("m", "i", range).map("i", "j", many)
    p = graph.window_all("j", "s", sum).map("s", "t", one).output("m", "t")
    assert p(9).get() == [10, 66]
    batches = [each.describe()["steps"][0]["batches"] for each in (one, many)]  # type: ignore[index]
    assert batches[0] == [1, 1]
    assert sum(batches[1]) == 10
    assert len(batches[1]) < 10


def test_an_operator_that_prints_and_shuffles_changes_no_result(
    publish: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    publish(
        "import random\n"
        "class Subject(Operator):\n"
        "    def __call__(self, value):\n"
        "        print('seen', value)\n"
        "        random.seed(value)\n"
        "        return value\n",
        name="test/loud",
    )
    p = NUMBERS.map("i", "k", "test/loud").window_all("k", "l", list).output("l")
    random.seed(1)
    assert p(3).get() == [[0, 1, 2]]
    assert capsys.readouterr().out.count("seen") == 3


def test_operators_that_hold_back_are_flushed(publish: Callable[..., Path]) -> None:
    publish(
        "class Subject(Operator):\n"
        "    def __init__(self):\n"
        "        self.held, self.written = [], []\n"
        "    def __call__(self, value):\n"
        "        self.held.append(value)\n"
        "        return list(self.written)\n"
        "    def flush(self):\n"
        "        self.written += self.held\n"
        "        self.held = []\n",
        name="test/store",
    )
    p = pipe.input("a").map("a", "w", "test/store").output("w")
    assert p(1).get() == [[]]
    p.flush()
    assert p(2).get() == [[1]]


@pytest.mark.usefixtures("plus")
def test_threads_load_an_operator_once() -> None:
    p = pipe.input("a").map("a", "b", "test/plus").output("b")
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda number: p(number).get(), range(100)))
    assert results == [[number + 1] for number in range(100)]
    assert ops.test.plus().describe()["steps"][0]["loads"] <= 2  # type: ignore[index]


@pytest.mark.usefixtures("plus")
def test_a_graph_with_operators_travels() -> None:
    p = pipe.input("a").map("a", "b", ops.test.plus(add=3)).output("b")
    assert pickle.loads(pickle.dumps(p))(1).get() == [4]  # noqa: S301  (our own)


@pytest.mark.usefixtures("plus")
def test_operators_are_debugged_too() -> None:
    p = NUMBERS.filter("i", "k", "i", ops.test.plus(add=-1)).output("k")
    debugged = p.debug(3, tracer=True)
    assert [(node.rows_in, node.rows_out) for node in debugged.nodes] == [
        (1, 3),
        (3, 2),
    ]
    assert debugged.nodes[1].outputs == [{"k": 0}, {"k": 2}]
