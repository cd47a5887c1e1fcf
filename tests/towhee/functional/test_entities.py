"""What methods promise that make, select, rename and fill columns."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from towhee import DataCollection
from towhee.columns import Entity, InvalidColumns, MissingColumn
from towhee.outcome import OperatorFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAMES = ["first name", "keys", "class", "self", "__dict__", "größe", "row", "\0"]


def rows(*values: dict[str, Any]) -> DataCollection:
    return DataCollection([Entity(**each) for each in values])


def failure(collection: DataCollection) -> str:
    with pytest.raises(OperatorFailed) as caught:
        collection.to_list()
    return f"{caught.value.__cause__}"


@pytest.mark.parametrize("name", NAMES)
def test_a_column_of_any_name_goes_through_every_method(name: str) -> None:
    row = {name: 1, "b": None}
    collection = DataCollection([row]).as_entity()
    assert collection.to_list() == [Entity(**row)]
    assert collection.select(name).as_raw().to_list() == [1]
    assert collection.select[name, "b"]().as_raw().to_list() == [(1, None)]
    assert collection.rename({name: "a"}).to_list() == [Entity(a=1, b=None)]
    assert collection.rename({"b": name, name: "b"}).to_list() == [
        Entity(**{"b": 1, name: None})
    ]
    assert collection.replace(**{name: {1: 2}}).to_list() == [
        Entity(**{**row, name: 2})
    ]
    assert rows({"b": 3}).fill_entity(**{name: 1}).to_list() == [
        Entity(**{"b": 3, name: 1})
    ]
    assert collection.as_json().parse_json().to_list() == [Entity(**row)]
    assert collection.dropna().to_list() == []
    assert DataCollection([1]).as_entity(name).to_list() == [Entity(**{name: 1})]


def test_no_method_changes_the_rows_it_was_given() -> None:
    start = rows({"a": 1, "b": None})
    for changed in (
        start.rename({"a": "c"}),
        start.replace(a={1: 2}),
        start.fill_entity({"b": 1}, True),
        start.select("a"),
        start.as_entity(),
        start.runas_op["a", "a"](str),
    ):
        (row,) = changed.to_list()
        vars(row).clear()
        assert start.to_list() == [Entity(a=1, b=None)]


def test_one_name_takes_the_whole_row() -> None:
    values = [(1, 2), {"b": 1}, None, "text", Entity(c=1)]
    assert DataCollection(values).as_entity(["a"]).to_list() == [
        Entity(a=value) for value in values
    ]


def test_several_names_take_as_many_values_or_those_a_mapping_has() -> None:
    values = [(1, 2), [3, 4], {"b": 6, "a": 5, "c": 0}, Entity(b=8, a=7), "xy"]
    assert DataCollection(values).as_entity(("a", "b")).as_raw().to_list() == [
        *((1, 2), (3, 4), (5, 6), (7, 8)),
        ("x", "y"),
    ]
    for wrong in ((1,), (1, 2, 3)):
        assert "argument 2 is" in failure(DataCollection([wrong]).as_entity(["a", "b"]))
    assert (
        failure(DataCollection([{"a": 1}]).as_entity(["a", "b"]))
        == "The row has no column `b`"
    )


def test_values_without_names_say_how_to_name_them() -> None:
    assert failure(DataCollection([(1, 2)]).as_entity()) == (
        "the row is of type tuple, whose values have no names: write them as in `as_entity(['a', 'b'])`"
    )
    for schema in ([], [1], None):
        with pytest.raises(InvalidColumns):
            DataCollection([1]).select(*(schema or ()))
    with pytest.raises(InvalidColumns):
        DataCollection([1]).as_entity([])


@pytest.mark.parametrize(
    "method",
    [
        lambda rows: rows.as_raw(),
        lambda rows: rows.select("a"),
        lambda rows: rows.rename({"a": "b"}),
        lambda rows: rows.replace(a={}),
        lambda rows: rows.fill_entity(a=1),
        lambda rows: rows.dropna(),
    ],
)
def test_a_row_without_columns_fails_with_how_to_get_them(
    method: Callable[[DataCollection], DataCollection],
) -> None:
    with pytest.raises(OperatorFailed, match="The row is a dict, which has") as caught:
        method(DataCollection([{"a": 1}])).to_list()
    assert caught.value.row == 0
    assert "or use `as_entity`" in str(caught.value.hint)
    assert isinstance(caught.value.__cause__, MissingColumn)


@pytest.mark.parametrize(
    "method",
    [
        lambda rows: rows.select("image", "lable"),
        lambda rows: rows.rename({"lable": "b"}),
        lambda rows: rows.replace(lable={}),
    ],
)
def test_a_column_that_is_not_there_is_named_with_the_nearest(
    method: Callable[[DataCollection], DataCollection],
) -> None:
    assert failure(method(rows({"label": 1, "image": 2}))) == (
        "The row has no column `lable`: did you mean `label`?"
    )


def test_two_columns_do_not_get_one_name() -> None:
    start = rows({"a": 1, "b": 2})
    assert failure(start.rename({"a": "b"})) == "Two columns would be named `b`"
    assert (
        failure(start.rename({"a": "c", "b": "c"})) == "Two columns would be named `c`"
    )


def test_what_cannot_be_hashed_is_neither_replaced_nor_missing() -> None:
    vector = np.zeros(3)
    (row,) = rows({"a": vector, "b": [1]}).replace(a={0: 1}, b={1: 2}).dropna()
    assert row.a is vector
    assert row.b == [1]


def test_what_counts_as_missing_is_said() -> None:
    nan = float("nan")
    values = [nan, np.float32("nan"), None, "", 0, False, "nan"]
    start = DataCollection(values).as_entity("a")
    assert start.dropna().as_raw().to_list() == [0, False, "nan"]
    kept = start.dropna({None}).as_raw().to_list()
    assert [repr(value) for value in kept] == [
        *("nan", "np.float32(nan)", "''", "0", "False", "'nan'")
    ]
    assert len(start.dropna([float("-nan")]).to_list()) == 5
    assert len(start.dropna([]).to_list()) == 7


def test_none_is_filled_only_when_asked() -> None:
    start = rows({"a": None}, {"b": 0})
    assert start.fill_entity(a=1, b=2).to_list() == [
        Entity(a=None, b=2),
        Entity(b=0, a=1),
    ]
    filled = start.fill_entity(_ReplaceNoneValue=True, _DefaultKVs={"a": 1})
    assert filled.to_list() == [Entity(a=1), Entity(b=0, a=1)]
    assert start.fill_entity({"a": 1}, a=2)[1].a == 1


def test_json_takes_what_rows_hold() -> None:
    row = Entity(
        vector=np.float32([0.5, 1]),
        number=np.int64(3),
        path=Path("ä.jpg"),
        inner=Entity(a=(1, None)),
    )
    (text,) = DataCollection([row]).as_json()
    assert text == (
        '{"vector": [0.5, 1.0], "number": 3, "path": "ä.jpg", "inner": {"a": [1, null]}}'
    )
    assert DataCollection([[1, 2], "x"]).as_json().to_list() == ["[1, 2]", '"x"']
    assert failure(DataCollection([Entity(a=b"x")]).as_json()) == (
        "a bytes has no form in JSON"
    )


def test_json_that_holds_no_columns_fails_with_its_row() -> None:
    collection = DataCollection(['{"a": 1}', "[1]", "x"]).exception_safe().parse_json()
    good, array, text = collection.to_list()
    assert good.value == Entity(a=1)
    assert str(array.exception) == "expected a JSON object with columns, got a list"
    assert (text.row, type(text.exception)) == (2, json.JSONDecodeError)


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.text())


@given(st.dictionaries(st.text(), VALUES))
def test_rows_go_to_json_and_back(columns: dict[str, Any]) -> None:
    start = DataCollection([columns]).as_entity()
    assert (
        start.as_json().parse_json().to_list() == start.to_list() == [Entity(**columns)]
    )


def test_chains_of_these_methods_go_to_other_processes() -> None:
    chain = (
        rows({"a": 1, "b": 2})
        .select["a"]()
        .rename({"a": "c"})
        .replace(c={1: 3})
        .fill_entity(d=4)
        .dropna()
        .as_json()
        .parse_json()
        .as_raw()
        .as_entity(["x", "y"])
    )
    assert pickle.loads(pickle.dumps(chain)) == chain  # noqa: S301  (our own)
    assert chain.to_list() == [Entity(x=3, y=4)]
    assert str(chain.pipeline) == (
        "select().rename().replace().fill_entity().dropna()"
        ".as_json().parse_json().as_raw().as_entity()"
    )


def test_streams_stay_streams_and_are_not_read_early() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise AssertionError

    stream = DataCollection(source()).as_entity("a").select("a").dropna()
    assert stream.is_stream
    assert next(iter(stream)) == Entity(a=1)
