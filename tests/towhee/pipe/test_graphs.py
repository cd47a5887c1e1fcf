"""What is said while a graph is written, and that graphs are values."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

from plugin_spec.errors import InvalidName
from towhee import ops, pipe
from towhee.columns import InvalidColumns
from towhee.pipe import DuplicateColumn, UnknownColumn

if TYPE_CHECKING:
    from collections.abc import Callable

    from towhee.pipe import Graph


def increment(number: int) -> int:
    return number + 1


def words() -> Graph:
    return pipe.input("path", "text")


UNKNOWN: dict[str, tuple[Callable[[Graph], object], str]] = {
    "map": (
        lambda graph: graph.map("pth", "image", len),
        "`map` reads `pth`, which no node makes: did you mean `path`?",
    ),
    "flat_map": (
        lambda graph: graph.flat_map(("path", "txt"), "word", len),
        "`flat_map` reads `txt`, which no node makes: did you mean `text`?",
    ),
    "filter": (
        lambda graph: graph.filter("path", "kept", "texts", len),
        "`filter` reads `texts`, which no node makes: did you mean `text`?",
    ),
    "filter's inputs": (
        lambda graph: graph.filter("paths", "kept", "text", len),
        "`filter` reads `paths`, which no node makes: did you mean `path`?",
    ),
    "window": (
        lambda graph: graph.window("word", "all", 2, 1, len),
        "`window` reads `word`, which no node makes",
    ),
    "window_all": (
        lambda graph: graph.window_all(("a", "b"), "all", len),
        "`window_all` reads `a` and `b`, which no node makes",
    ),
    "time_window": (
        lambda graph: graph.time_window("text", "all", "pat", 1, 1, len),
        "`time_window` reads `pat`, which no node makes: did you mean `path`?",
    ),
    "output": (
        lambda graph: graph.output("text", "paht"),
        "`output` reads `paht`, which no node makes: did you mean `path`?",
    ),
}


@pytest.mark.parametrize("method", UNKNOWN)
def test_a_column_that_no_node_makes_is_refused_where_it_is_written(
    method: str,
) -> None:
    write, message = UNKNOWN[method]
    with pytest.raises(UnknownColumn) as caught:
        write(words())
    assert str(caught.value) == message
    assert caught.value.hint == "There are: `path`, `text`"


def test_a_graph_gives_something() -> None:
    with pytest.raises(InvalidColumns) as caught:
        words().output()
    assert str(caught.value) == "() names no column"


def test_a_graph_takes_something() -> None:
    with pytest.raises(InvalidColumns):
        pipe.input()


@pytest.mark.parametrize("columns", [1, None, ("a", 1), b"a", [[]]])
def test_columns_are_named_by_texts(columns: Any) -> None:  # noqa: ANN401
    with pytest.raises(InvalidColumns):
        words().map(columns, "x", len)
    with pytest.raises(InvalidColumns):
        words().map("text", columns, len)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda: pipe.input("a", "a"), "`input` names `a` twice"),
        (lambda: words().map("text", ("a", "a"), len), "`map` names `a` twice"),
        (lambda: words().output("text", "text"), "`output` names `text` twice"),
    ],
)
def test_a_name_stands_for_one_column(
    write: Callable[[], object], message: str
) -> None:
    with pytest.raises(DuplicateColumn) as caught:
        write()
    assert str(caught.value) == message


def test_a_filter_gives_every_input_a_name() -> None:
    with pytest.raises(ValueError, match="gives its 1 inputs other names, and 2 are"):
        words().filter("text", ("a", "b"), "text", len)


@pytest.mark.parametrize(("size", "step"), [(0, 1), (1, 0), (-1, 1), (1, -2)])
def test_windows_have_a_size_and_go_forward(size: int, step: int) -> None:
    with pytest.raises(ValueError, match="and has to be more than 0"):
        words().window("text", "all", size, step, len)
    with pytest.raises(ValueError, match="and has to be more than 0"):
        words().time_window("text", "all", "path", size, step, len)


def test_what_a_node_calls_is_a_function_or_an_operator() -> None:
    with pytest.raises(TypeError, match=r"^3 is neither a function nor an operator$"):
        words().map("text", "x", 3)
    with pytest.raises(TypeError, match=r"is neither a function nor an operator$"):
        words().map("text", "x", ops.image_embedding)
    with pytest.raises(InvalidName):
        words().map("text", "x", "no operator's name")


def test_only_map_takes_a_graph() -> None:
    inner = pipe.input("a").map("a", "b", increment).output("b")
    with pytest.raises(TypeError, match=r"^only `map` takes a graph, and `filter` was"):
        words().filter("text", "x", "text", inner)
    with pytest.raises(ValueError, match="unlike") as caught:
        words().map(("text", "path"), "x", inner)
    assert str(caught.value) == (
        f"`map` reads 2 columns and makes 1, unlike `{inner}`, which reads 1 and makes 1"
    )


def test_every_method_gives_a_longer_graph_and_leaves_the_shorter_one() -> None:
    short = pipe.input("a").map("a", "b", increment)
    long = short.map("b", "a", increment)
    other = short.map("a", "b", str)
    assert short.output("a", "b")(1).get() == [1, 2]
    assert long.output("a", "b")(1).get() == [3, 2]
    assert other.output("a", "b")(1).get() == [1, "1"]


def test_a_graph_in_two_branches_runs_once() -> None:
    seen = []
    trunk = pipe.input("a").map("a", "b", lambda a: seen.append(a) or a + 1)
    left, right = trunk.map("b", "c", increment), trunk.map("b", "d", str)
    assert left.concat(right).output("b", "c", "d")(1).get() == [2, 3, "2"]
    assert seen == [1]


def test_branches_may_write_one_name_as_long_as_nobody_reads_it() -> None:
    trunk = pipe.input("a")
    left = trunk.map("a", "b", increment).map("b", "c", increment)
    right = trunk.map("a", "b", str).map("b", "d", len)
    both = left.concat(right)
    assert both.output("a", "c", "d")(1).get() == [1, 3, 1]
    with pytest.raises(DuplicateColumn) as caught:
        both.map("b", "e", str)
    assert str(caught.value) == "`map` reads `b`, which branches make differently"
    assert caught.value.hint == "Give the column another name in one of them"


def test_a_name_is_unclear_also_after_more_branches_are_joined() -> None:
    trunk = pipe.input("a")
    left, right = trunk.map("a", "b", increment), trunk.map("a", "b", str)
    with pytest.raises(DuplicateColumn):
        left.concat(right).concat(left).output("b")
    assert left.concat(right).map("a", "b", repr).output("b")(1).get() == ["1"]


def test_graphs_are_joined_with_graphs_of_the_same_input() -> None:
    for other in (pipe.input("a"), words().output("text"), 3):
        with pytest.raises(TypeError, match="begin with the same"):
            words().concat(other)  # type: ignore[arg-type]


def test_a_graph_says_what_it_is() -> None:
    graph = pipe.input("d").flat_map("d", ("t", "n"), iter)
    graph = graph.filter("n", "n", "t", bool).time_window("n", "s", "t", 1, 2, sum)
    text = (
        "pipe.input('d').flat_map['d', ('t', 'n')](iter).filter['t', 'n'](bool)"
        ".time_window['n', 's'](sum)"
    )
    assert repr(graph) == text
    assert repr(graph.output("s")) == f"{text}.output('s')"


def test_graphs_travel_as_far_as_their_functions() -> None:
    graph = pipe.input("a").map("a", "b", increment).map("b", "a", str)
    sent = pickle.loads(pickle.dumps(graph.output("a", "b")))  # noqa: S301  (our own)
    assert sent(1).get() == ["2", 2]
    again = pickle.loads(pickle.dumps(graph)).map("a", "c", len).output("a", "c")  # noqa: S301  (our own)
    assert again(1).get() == ["2", 1]
    with pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(pipe.input("a").map("a", "b", lambda a: a).output("b"))


def test_a_graph_may_be_a_thousand_nodes_long() -> None:
    graph = pipe.input("a")
    for _ in range(1_000):
        graph = graph.map("a", "a", increment)
    assert pickle.loads(pickle.dumps(graph.output("a")))(0).get() == [1_000]  # noqa: S301  (our own)
