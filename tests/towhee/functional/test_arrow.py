"""What columns promise: the same rows, whole columns for functions, little memory."""
# ruff: noqa: ANN401  (arrays of any type)

from __future__ import annotations

import datetime as dt
import operator
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from towhee import DataCollection
from towhee.chain import NotIndexable
from towhee.columns import Entity, InvalidColumns, MissingColumn
from towhee.maybe import Empty, Some
from towhee.outcome import OperatorFailed
from towhee.vector_files import UnwritableValue

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = dt.datetime(2026, 1, 2, 12)  # noqa: DTZ001  (one without a zone)
TODAY = dt.date(2026, 1, 2)
MASKED = np.ma.array([1, 2], mask=[0, 1])


def numbers(count: int) -> DataCollection:
    return DataCollection([Entity(a=n) for n in range(count)])


def lengths(array: Any) -> list[int]:
    return [len(array)] * len(array)


def test_rows_come_back_as_they_were() -> None:
    when = dt.datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001  (as it is kept)
    row = Entity(
        whole=3,
        real=0.5,
        flag=True,
        text="größe",
        raw=b"\0\xff",
        none=None,
        when=when,
        tags=["a", "b"],
        vector=np.float32([0.5, 1]),
        codes=np.uint8([1, 2]),
        image=np.arange(12, dtype=np.uint8).reshape(2, 2, 3),
        table={"x": 1},
        **{"first name": 1},
    )
    for kept in (
        DataCollection([row, row]).to_column(),
        DataCollection([row, row]).stream().set_chunksize(1),
        DataCollection.from_arrow(DataCollection([row, row]).to_arrow()),
    ):
        rows = list(kept)
        assert len(rows) == 2
        for name, value in dict(row).items():  # type: ignore[call-overload]
            found = rows[1][name]
            assert type(found) is type(value)
            assert np.array_equal(found, value)
            assert getattr(found, "dtype", None) == getattr(value, "dtype", None)


@pytest.mark.parametrize(
    "array",
    [
        np.float32([0.5, 1]),
        np.int32([1, 2]),
        np.array([True, False]),
        np.zeros((2, 2), bool),
        np.arange(12, dtype=np.uint8).reshape(2, 2, 3),
    ],
)
def test_a_missing_array_leaves_its_neighbours_as_they_were(array: Any) -> None:
    rows = DataCollection([array, None, array, array]).as_entity("v")

    def seen(arrays: Any) -> Any:
        assert (arrays[0].shape, arrays[0].dtype) == (array.shape, array.dtype)
        return arrays

    for kept in (
        rows.to_column(),
        rows.set_chunksize(3),
        rows.set_chunksize(1).set_chunksize(2).cmap["v", "v"](seen),
        DataCollection.from_arrow(rows.to_arrow().slice(0, 4)),
        DataCollection.from_parquet(rows.to_parquet("v.parquet", row_group_size=2)),
    ):
        first, missing, *others = (row.v for row in kept)
        assert missing is None
        for found in (first, *others):
            assert (found.shape, found.dtype) == (array.shape, array.dtype)
            assert np.array_equal(found, array)
            found[0] = 0
    assert rows[0].v is array


def test_columns_of_a_list_are_computed_once_and_have_numbers() -> None:
    calls: list[int] = []
    kept = numbers(3).map["a", "b"](lambda a: calls.append(a) or a * 2).to_column()
    assert calls == []
    assert (len(kept), kept[1], kept[-1]) == (3, Entity(a=1, b=2), Entity(a=2, b=4))
    more = kept.cmap["b", "c"](np.negative)
    assert [row.c for row in more] == [0, -2, -4]
    assert more[1:].to_list() == [Entity(a=1, b=2, c=-2), Entity(a=2, b=4, c=-4)]
    assert kept.to_list() == [Entity(a=n, b=2 * n) for n in range(3)]
    assert calls == [0, 1, 2]
    with pytest.raises(IndexError):
        kept[3]


def test_a_stream_holds_one_chunk() -> None:
    pulled: list[int] = []

    def source() -> Iterator[Entity]:
        for n in range(100):
            pulled.append(n)
            yield Entity(a=n)

    rows = DataCollection(source()).set_chunksize(10).cmap["a", "n"](lengths)
    assert rows.is_stream
    iterator = iter(rows)
    assert next(iterator) == Entity(a=0, n=10)
    assert len(pulled) == 10
    with pytest.raises(NotIndexable):
        len(rows)


def test_chunks_have_the_size_that_was_asked_for() -> None:
    def sizes(rows: DataCollection) -> list[int]:
        return rows.cmap["a", "n"](lengths).select("n").as_raw().to_list()

    rows = numbers(7)
    assert sizes(rows) == sizes(rows.to_column()) == [7] * 7
    assert sizes(rows.set_chunksize(3)) == [3] * 6 + [1]
    for start in (rows.set_chunksize(3), rows.stream().set_chunksize(3)):
        assert sizes(start.set_chunksize(2)) == [2] * 6 + [1]
        assert sizes(start.set_chunksize(5)) == [5] * 5 + [2] * 2
        assert sizes(start.to_column()) == [7] * 7
    assert sizes(DataCollection.from_arrow(rows.to_arrow()).set_chunksize(4)) == (
        [4] * 4 + [3] * 3
    )
    assert sizes(DataCollection(iter(rows))) == [7] * 7
    for wrong in (0, -1, 1.5):
        with pytest.raises(ValueError, match="chunksize is"):
            rows.set_chunksize(wrong)  # type: ignore[arg-type]


def test_functions_read_and_write_several_columns() -> None:
    rows = DataCollection([(1, 2.0), (3, 4.0)]).as_entity(["a", "first name"])
    assert rows.cmap[("a", "first name"), "a"](operator.add).to_list() == [
        Entity(**{"a": 3.0, "first name": 2.0}),
        Entity(**{"a": 7.0, "first name": 4.0}),
    ]
    result = rows.cmap["a", ("half", "rest")](lambda a: divmod(a, 2)).to_list()
    assert [(row.half, row.rest) for row in result] == [(0, 1), (1, 1)]
    vectors = rows.cmap["a", "v"](lambda a: np.stack([a, a * 0.5], axis=1))
    assert [row.v.tolist() for row in vectors] == [[1.0, 0.5], [3.0, 1.5]]
    norms = vectors.cmap["v", "norm"](lambda v: np.linalg.norm(v, axis=1))
    assert norms[0].norm == pytest.approx(1.25**0.5)


def test_values_without_columns_go_as_one_array() -> None:
    rows = DataCollection([1.0, 4.0, 9.0])
    assert rows.cmap(np.sqrt).map(str).to_list() == ["1.0", "2.0", "3.0"]
    assert DataCollection(["a", "b"]).cmap(lambda a: a + "!").to_list() == ["a!", "b!"]
    assert rows.to_column().to_list() == [1.0, 4.0, 9.0]
    with pytest.raises(OperatorFailed) as caught:
        numbers(1).cmap(np.sqrt).to_list()
    assert isinstance(caught.value.__cause__, InvalidColumns)
    assert caught.value.hint == "Write `cmap['in', 'out'](function)`"


def test_a_function_sees_memory_that_it_cannot_spoil() -> None:
    def spoil(a: Any) -> Any:
        a[0] = 9
        return a

    kept = numbers(2).to_column()
    with pytest.raises(OperatorFailed, match="read-only"):
        kept.cmap["a", "b"](spoil).to_list()
    assert kept.to_list() == [Entity(a=0), Entity(a=1)]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda a: a[:1], "it was given 2 rows, and returned 1 values"),
        (lambda a: a.sum(), "it was given 2 rows, and returned one value"),
        (lambda _: np.array(1), "it was given 2 rows, and returned one value"),
        *(
            (
                lambda _, other=other: other,
                f"it was given 2 rows, and returned a {kind}, which is no column",
            )
            for kind, other in {
                "dict": {0: 1, 1: 2},
                "set": {1, 2},
                "str": "ab",
                "bytes": b"ab",
                "Entity": Entity(a=1, b=2),
                "DataFrame": pd.DataFrame({"x": [1, 2]}),
                "Table": pa.table({"x": [1, 2]}),
            }.items()
        ),
    ],
)
def test_a_wrong_number_of_values_fails(function: Any, message: str) -> None:
    with pytest.raises(OperatorFailed) as caught:
        numbers(3).set_chunksize(2).cmap["a", "b"](function).to_list()
    assert str(caught.value.__cause__) == message
    assert (caught.value.operator, caught.value.row) == (
        "cmap['a', 'b'](<lambda>)",
        0,
    )


@pytest.mark.parametrize(
    ("result", "given"),
    [((1,), "1"), ((1, 2, 3), "3"), ({"b": 1, "c": 2}, "a dict"), (None, "a NoneType")],
)
def test_a_wrong_number_of_columns_fails(result: Any, given: str) -> None:
    with pytest.raises(OperatorFailed) as caught:
        numbers(2).cmap["a", ("b", "c")](lambda _: result).to_list()
    assert str(caught.value.__cause__) == (
        f"it has 2 columns to write, and returned {given}"
    )
    assert caught.value.hint == "Return a tuple of 2 arrays or lists"


def test_a_missing_column_is_named_with_the_nearest() -> None:
    with pytest.raises(OperatorFailed) as caught:
        numbers(1).cmap["aa", "b"](np.sqrt).to_list()
    assert isinstance(caught.value.__cause__, MissingColumn)
    assert str(caught.value.__cause__) == (
        "The row has no column `aa`: did you mean `a`?"
    )


def inverse(a: Any) -> Any:
    if not a.all():
        raise ZeroDivisionError
    return 1 / a


def test_failures_that_are_kept_go_past_columns() -> None:
    rows = DataCollection(["1", "x", "2", "0"]).exception_safe().map(int)
    safe = rows.as_entity("a").set_chunksize(2).cmap["a", "b"](inverse)
    first, second, text, chunk = sorted(safe, key=lambda row: row.is_empty())
    assert (first, second) == (Some(Entity(a=1, b=1.0)), Some(Entity(a=2, b=0.5)))
    assert isinstance(text, Empty)
    assert isinstance(text.exception, ValueError)
    assert isinstance(chunk.exception, ZeroDivisionError)
    assert len(safe.drop_empty().to_list()) == 2
    with pytest.raises(OperatorFailed):
        safe.to_arrow()
    assert safe.drop_empty().to_arrow().num_rows == 2


def test_each_row_of_a_chunk_that_failed_has_failed() -> None:
    def shifted(a: Any) -> Any:
        return a + 1 if a[0] else 1 / 0

    safe = numbers(4).safe().set_chunksize(2).cmap["a", "b"](shifted)
    first, second, *others = safe.to_list()
    assert others == [Some(Entity(a=2, b=3)), Some(Entity(a=3, b=4))]
    for number, failed in enumerate((first, second)):
        assert (failed.row, failed.error.input) == (number, Entity(a=number))
        assert failed.error.operator == "cmap['a', 'b'](shifted)"
        assert isinstance(failed.exception, ZeroDivisionError)
    assert safe.fill_empty("?").to_list() == [
        "?",
        "?",
        Entity(a=2, b=3),
        Entity(a=3, b=4),
    ]
    again = safe.cmap["b", "c"](np.negative).set_chunksize(3).fill_empty(0)
    assert again.to_list().count(0) == 2
    assert [r.row for r in DataCollection([0, 1]).safe().cmap(shifted)] == [0, 1]


def test_columns_that_arrow_cannot_hold_are_named() -> None:
    images = [np.zeros((2, 2, 3)), np.zeros((3, 2, 3))]
    for values in (images, [object()], [1, "a"], [2**80]):
        rows = DataCollection(values).as_entity("image")
        for keep in (rows.to_arrow, rows.to_column().to_list):
            with pytest.raises(UnwritableValue) as caught:
                keep()
            assert str(caught.value).startswith(
                "Arrow cannot hold the column `image`: "
            )
    with pytest.raises(UnwritableValue, match=r"^Arrow cannot hold the rows: "):
        DataCollection([object()]).to_arrow()


@pytest.mark.parametrize(
    "values",
    [
        [MASKED, MASKED],
        [None, np.array([1, 2]), MASKED],
        [[1, 2], MASKED],
        [1, np.ma.masked],
        np.ma.array([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]]),
    ],
)
def test_no_mask_is_lost(values: Any) -> None:
    rows = numbers(len(values)).to_column().cmap["a", "b"](lambda _: values)
    with pytest.raises(OperatorFailed) as caught:
        rows.to_list()
    assert str(caught.value.__cause__) == (
        "Arrow cannot hold the column `b`: it has masked arrays, whose masks would be lost"
    )
    assert caught.value.hint == "Fill them first, as in `array.filled(0)`"


def test_a_mask_of_values_leaves_them_missing() -> None:
    rows = numbers(2).cmap["a", "b"](lambda a: np.ma.array(a, mask=[0, 1]))
    assert [row.b for row in rows] == [0, None]
    with pytest.raises(UnwritableValue, match="whose masks would be lost"):
        DataCollection([MASKED]).as_entity("a").to_parquet("masked.parquet")


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (TODAY, NOON, "it has values of the types date and datetime"),
        (NOON, NOON.astimezone(dt.UTC), "it has times with a zone, and without one"),
        ("a", b"b", "it has values of the types bytes and str"),
        (0.5, True, "it has values of the types bool and float"),
        (np.bool_(True), 1, "it has values of the types bool and int"),
    ],
)
def test_no_value_is_changed_for_its_neighbour(
    first: Any, second: Any, reason: str
) -> None:
    for values in ((first, second), (second, None, first)):
        with pytest.raises(UnwritableValue) as caught:
            DataCollection(values).as_entity("a").to_arrow()
        assert str(caught.value) == f"Arrow cannot hold the column `a`: {reason}"


def test_a_table_takes_what_chunks_differ_in() -> None:
    rows = [Entity(a=None, b=n) for n in range(5000)] + [Entity(a=1.5, c="x")]
    table = DataCollection(rows).to_arrow()
    assert table.schema.names == ["a", "b", "c"]
    assert table.num_rows == 5001
    assert table.slice(4999).to_pylist() == [
        {"a": None, "b": 4999, "c": None},
        {"a": 1.5, "b": None, "c": "x"},
    ]
    with pytest.raises(UnwritableValue, match="Arrow cannot join the rows"):
        DataCollection([*range(4096), "x"]).to_arrow()
    texts = DataCollection([Entity(a="x"), Entity(a=b"x")]).set_chunksize(1)
    with pytest.raises(UnwritableValue) as caught:
        texts.set_chunksize(2).to_list()
    assert str(caught.value) == (
        "Arrow cannot join the rows: the column `a` is string in some, and binary in "
        "others"
    )
    assert DataCollection([]).to_arrow().num_rows == 0
    assert numbers(0).to_column().to_list() == []
    assert numbers(0).cmap["a", "b"](np.sqrt).to_list() == []


def test_an_arrow_table_is_worked_on_where_it_is() -> None:
    table = pa.table({"a": np.arange(4.0)})
    address = table.column("a").chunk(0).buffers()[1].address
    seen: list[int] = []

    def look(a: Any) -> Any:
        seen.append(a.__array_interface__["data"][0])
        return -a

    rows = DataCollection.from_arrow(table).cmap["a", "b"](look)
    result = rows.to_arrow()
    assert seen == [address]
    assert result.column("a").chunk(0).buffers()[1].address == address
    assert result.column("b").to_pylist() == [0, -1, -2, -3]


def test_chunks_may_be_worked_on_at_once_and_keep_their_order() -> None:
    rows = numbers(100).stream().set_chunksize(7).set_parallel(3)
    assert [row.b for row in rows.cmap["a", "b"](np.negative)] == [
        -n for n in range(100)
    ]


def test_columns_go_to_other_processes_and_show_themselves() -> None:
    rows = numbers(3).set_chunksize(2).cmap["a", "b"](np.negative)
    copy = pickle.loads(pickle.dumps(rows))  # noqa: S301  (our own)
    assert copy.to_list() == rows.to_list()
    assert repr(rows) == ("DataCollection(<columns of <...chunksize(2)>>)")


VALUE = st.one_of(st.none(), st.integers(-9, 9), st.floats(allow_nan=False))


@given(
    st.lists(st.fixed_dictionaries({"a": VALUE, "b c": st.none() | st.text()})),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_chunks_of_any_size_hold_the_same_rows(
    values: list[dict[str, Any]], first: int, second: int
) -> None:
    rows = DataCollection(values).as_entity()
    expected = rows.to_list()
    chunked = rows.set_chunksize(first)
    assert chunked.to_list() == expected
    assert chunked.set_chunksize(second).to_list() == expected
    assert list(chunked.stream().to_column()) == expected
    assert rows.to_arrow().num_rows == len(expected)
