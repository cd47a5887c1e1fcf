"""What rows with columns promise, and operators that read and write some of them."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from plugin_spec import HubError
from towhee import DataCollection
from towhee.binding import PortMismatch
from towhee.columns import PASSED, Columns, Entity, InvalidColumns, MissingColumn
from towhee.outcome import OperatorFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ODD_NAMES = [
    "first name",
    "keys",
    "with_columns",
    "class",
    "self",
    "__dict__",
    "__class__",
    "__init__",
    "_x__y",
    "größe",
    "ﬁ",
    "",
    "a'b\"c\\",
    "line\nbreak",
    "\ud800",
    "\0",
    "value",
    "result",
    "f0",
]
ANY = [{"name": "value", "type": "any"}]
IMAGE = [{"name": "image", "type": "image"}]
TEXT = [{"name": "text", "type": "text"}]
VECTOR = [{"name": "embedding", "type": "vector"}]
ADD = """
class Subject(Operator):
    def __init__(self, amount=1):
        self.amount = amount

    def __call__(self, value):
        return value + self.amount
"""
ADD_OPTIONS = {"amount": {"type": "integer"}}
SAME = "class Subject(Operator):\n  def __call__(self, *values): return values[0]"
HALVES = (
    "class Subject(Operator):\n  def __call__(self, value): return divmod(value, 2)"
)


def rows(*values: int) -> DataCollection:
    return DataCollection([Entity(a=value) for value in values])


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_column_may_have_any_name(name: str) -> None:
    row = Entity(**{name: 1, "other": 2})
    assert (row[name], name in row, list(row), len(row)) == (
        1,
        True,
        [name, "other"],
        2,
    )
    assert dict(row) == {name: 1, "other": 2}
    assert row.with_columns(**{name: 3})[name] == 3
    assert row[name] == 1
    for twin in (copy.copy(row), pickle.loads(pickle.dumps(row))):  # noqa: S301  (our own)
        assert twin == row


def test_a_missing_column_is_named_with_the_nearest_and_those_there_are() -> None:
    row = Entity(image=1, label=2)
    for ask in (lambda: row.imag, lambda: row["imag"], lambda: _read(row, "imag")):
        with pytest.raises(MissingColumn) as caught:
            ask()
        assert (
            str(caught.value) == "The row has no column `imag`: did you mean `image`?"
        )
        assert caught.value.hint == "Its columns are: `image`, `label`"
    assert isinstance(caught.value, HubError | AttributeError | KeyError)
    assert not hasattr(row, "imag")
    with pytest.raises(MissingColumn) as caught:
        _read(Entity(), "image")
    assert caught.value.hint == "Its columns are: none"


def _read(row: object, name: str) -> Any:  # noqa: ANN401
    return Columns.parse((name, "out")).read(row)


def test_a_row_without_columns_says_how_to_get_them() -> None:
    with pytest.raises(MissingColumn) as caught:
        _read(3, "image")
    assert str(caught.value) == "The row is a int, which has no column `image`"
    assert caught.value.hint == (
        "Build rows with columns, `dc['name'](rows)`, or use `as_entity`"
    )


def test_rows_are_equal_when_their_columns_are() -> None:
    assert Entity(a=1, b=2) == Entity(b=2, a=1)
    assert Entity(a=1) != Entity(a=1, b=2)
    assert Entity(a=1) != {"a": 1}
    with pytest.raises(TypeError, match="unhashable"):
        hash(Entity())


@pytest.mark.parametrize(
    ("index", "inputs", "outputs"),
    [
        (("a", "b"), ("a",), ("b",)),
        ((("a", "b"), "c"), ("a", "b"), ("c",)),
        (("a", ("b", "c")), ("a",), ("b", "c")),
        ((["a"], ["b", "c"]), ("a",), ("b", "c")),
    ],
)
def test_brackets_name_what_goes_in_and_what_comes_out(
    index: object, inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> None:
    assert Columns.parse(index) == Columns(inputs, outputs)


@pytest.mark.parametrize("index", ["a", ("a",), ("a", "b", "c"), 3, None])
def test_brackets_that_do_not_name_both_sides_are_refused(index: object) -> None:
    with pytest.raises(InvalidColumns) as caught:
        Columns.parse(index)
    assert (
        str(caught.value)
        == f"[{index!r}] does not name the columns to read and to write"
    )
    assert (
        caught.value.hint
        == "Write ['in', 'out'], or [('a', 'b'), ('c', 'd')] for several"
    )


@pytest.mark.parametrize("side", [(), 3, ("a", 3), None])
def test_a_side_that_names_no_column_is_refused(side: object) -> None:
    with pytest.raises(InvalidColumns) as caught:
        Columns.parse((side, "out"))
    assert str(caught.value) == f"{side!r} names no column"


def test_names_are_plain_text_whatever_text_they_were() -> None:
    class Shouting(str):
        __slots__ = ()

        def __repr__(self) -> str:
            return "1/0"

        __str__ = __repr__

    columns = Columns.parse((Shouting("a"), Shouting("b")))
    assert [type(name) for name in (*columns.inputs, *columns.outputs)] == [str, str]
    (row,) = rows(1).map[Shouting("a"), Shouting("first name")](str)
    assert row == Entity(a=1, **{"first name": "1"})


def test_writing_columns_leaves_the_row_as_it_was() -> None:
    row = Entity(a=1)
    assert Columns(("a",), ("b", "c")).write(row, (2, 3)) == Entity(a=1, b=2, c=3)
    assert Columns(("a",), ("a",)).write(row, (2, 3)) == Entity(a=(2, 3))
    assert row == Entity(a=1)
    with pytest.raises(ValueError, match="shorter"):
        Columns(("a",), ("b", "c")).write(row, (2,))


def test_collections_that_share_rows_do_not_see_each_others_columns() -> None:
    start = rows(1, 2)
    first = start.map["a", "b"](lambda a: a * 10).map["b", "c"](str)
    second = start.map["a", "a"](str)
    assert first.to_list() == [Entity(a=1, b=10, c="10"), Entity(a=2, b=20, c="20")]
    assert second.to_list() == [Entity(a="1"), Entity(a="2")]
    assert start.to_list() == [Entity(a=1), Entity(a=2)]
    # What was computed and kept is shared too.
    third = first.map["a", "d"](float)
    assert third.to_list()[0] == Entity(a=1, b=10, c="10", d=1.0)
    assert first.to_list()[0] == Entity(a=1, b=10, c="10")


def test_a_row_that_a_filter_saw_stays_as_it_saw_it() -> None:
    seen: list[Entity] = []
    chain = rows(1).map["a", "b"](str).filter(lambda row: not seen.append(row))
    assert chain.map["a", "c"](float).to_list() == [Entity(a=1, b="1", c=1.0)]
    assert seen == [Entity(a=1, b="1")]


def test_an_operator_reads_one_column_and_writes_another(
    publish: Callable[..., Path],
) -> None:
    publish(ADD, name="test/add", parameters=ADD_OPTIONS)
    start = rows(1, 2)
    assert start.test.add["a", "b"](amount=3).to_list() == [
        Entity(a=1, b=4),
        Entity(a=2, b=5),
    ]
    assert start.to_list() == [Entity(a=1), Entity(a=2)]


def test_an_operator_writes_several_results_into_several_columns(
    publish: Callable[..., Path],
) -> None:
    publish(
        HALVES,
        name="test/halves",
        outputs=[{"name": "half", "type": "any"}, {"name": "rest", "type": "any"}],
    )
    chain = rows(7)
    assert chain.test.halves["a", ("b", "c")]().to_list() == [Entity(a=7, b=3, c=1)]
    assert chain.test.halves["a", "b"]().to_list() == [Entity(a=7, b=(3, 1))]
    with pytest.raises(PortMismatch) as caught:
        chain.test.halves["a", ("b", "c", "d")]().to_list()
    assert str(caught.value) == (
        "`test/halves` gives `half` and `rest`, which are not the 3 columns ['a', ('b', 'c', 'd')]"
    )


def test_the_steps_of_a_pipeline_pass_on_what_is_no_column_of_the_result(
    publish: Callable[..., Path],
) -> None:
    publish(ADD, name="test/add", parameters=ADD_OPTIONS)
    step = {"operator": "test/add", "with": {"amount": 10}}
    publish(name="test/thrice", kind="pipeline", steps=[step, step, "test/add"][:2])
    publish(
        name="test/all",
        kind="pipeline",
        steps=[{"operator": "test/thrice"}, {"operator": "test/add"}],
    )
    (row,) = rows(1).test.all["a", "b"]()
    assert row == Entity(a=1, b=22)
    assert PASSED not in row
    (row,) = rows(1).test.all["a", "a"]().test.all["a", "b"]()
    assert row == Entity(a=22, b=43)


def test_a_failing_step_of_a_pipeline_names_itself_and_the_row(
    publish: Callable[..., Path],
) -> None:
    publish(ADD, name="test/add", parameters=ADD_OPTIONS)
    publish(
        name="test/twice",
        kind="pipeline",
        steps=[{"operator": "test/add"}, {"operator": "test/add"}],
    )
    chain = DataCollection([Entity(a=1), Entity(a="x")]).test.twice["a", "b"]()
    with pytest.raises(OperatorFailed) as caught:
        chain.to_list()
    assert (caught.value.operator, caught.value.row) == ("test/add", 1)
    good, bad = chain.exception_safe().test.add["b", "c"]().run()
    assert good.value == Entity(a=1, b=3, c=4)
    assert isinstance(bad.error, OperatorFailed)


def test_ports_are_checked_by_column(publish: Callable[..., Path]) -> None:
    publish(SAME, name="test/decode", inputs=TEXT, outputs=IMAGE)
    publish(SAME, name="test/embed", inputs=IMAGE, outputs=VECTOR)
    publish(SAME, name="test/read", inputs=ANY, outputs=TEXT)
    start = rows(1).test.read["a", "text"]().test.decode["text", "image"]()
    assert start.test.embed["image", "v"]().to_list()[0].v == 1
    with pytest.raises(PortMismatch) as caught:
        start.test.embed["text", "v"]().to_list()
    assert str(caught.value) == (
        "`test/embed` cannot follow `test/read`: `text` is text, `image` takes image"
    )
    # A function between may have put anything there.
    assert start.map["text", "text"](int).test.embed["text", "v"]().to_list()[0].v == 1
    # Columns of which nothing is known are taken as they come.
    assert start.test.embed["a", "v"]().to_list()[0].v == 1


def test_several_columns_go_into_several_ports(publish: Callable[..., Path]) -> None:
    both = [*IMAGE, *TEXT]
    publish(SAME, name="test/decode", inputs=TEXT, outputs=IMAGE)
    publish(SAME, name="test/match", inputs=both, outputs=ANY)
    chain = rows(1).test.decode["a", "image"]()
    assert chain.test.match[("image", "a"), "b"]().to_list()[0].b == 1
    with pytest.raises(PortMismatch) as caught:
        chain.test.match[("a", "image"), "b"]().to_list()
    assert str(caught.value) == (
        "`test/match` cannot follow `test/decode`: `image` is image, `text` takes text"
    )
    with pytest.raises(PortMismatch) as caught:
        chain.test.match[("a", "image", "a"), "b"]().to_list()
    assert str(caught.value) == (
        "`test/match` takes `image` and `text`, which are not the 3 columns [('a', 'image', 'a'), 'b']"
    )
