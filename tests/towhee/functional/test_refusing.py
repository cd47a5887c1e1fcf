"""What methods do not take is refused where it is written, before a row is computed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from towhee import DataCollection, dc, param_scope, pipe, pipeline
from towhee.columns import InvalidColumns, MissingColumn
from towhee.executors import InvalidEngineOptions
from towhee.grouping import NotComparable
from towhee.outcome import OperatorFailed
from towhee.parameters import InvalidParameter
from towhee.reading.files import UnreadableFile
from towhee.vector_files import UnwritableValue

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS: Any = DataCollection([(1, "a"), (2, "b")])
TABLE: Any = dc["a", "b"](ROWS)
REFUSED: dict[str, tuple[Callable[[], object], type[Exception]]] = {
    "None holds no rows; write `[value]` for one row": (
        lambda: DataCollection(None),  # type: ignore[arg-type]
        TypeError,
    ),
    "3 holds no rows; write `[value]` for one row": (lambda: ROWS.zip(3), TypeError),
    "`map` takes a function, not 3": (lambda: ROWS.map(str, 3), TypeError),
    "`filter` takes a function, not None": (lambda: ROWS.filter(None), TypeError),
    "`group_by` takes a function, not 'a'": (lambda: ROWS.group_by("a"), TypeError),
    "`sort` takes a function, not 3": (lambda: ROWS.sort(key=3), TypeError),
    "`runas_op` takes a function, not 3": (lambda: ROWS.runas_op(3), TypeError),
    "`cmap` takes a function, not 3": (lambda: TABLE.cmap["a", "c"](3), TypeError),
    "`drop_empty` takes a function, not 3": (lambda: ROWS.drop_empty(3), TypeError),
    "`select_from` takes a collection, not None": (
        lambda: ROWS.select_from(None),
        TypeError,
    ),
    "Two columns would be named `a`": (lambda: dc["a", "a"](ROWS), InvalidColumns),
    "Two columns would be named `b`": (
        lambda: ROWS.as_entity(["b", "b"]),
        InvalidColumns,
    ),
    "Two columns would be named `c`": (
        lambda: TABLE.map["a", ("c", "c")](divmod),
        InvalidColumns,
    ),
    "Two columns would be named `d`": (
        lambda: DataCollection.from_df(pd.DataFrame([(1, 2)], columns=["d", "d"])),
        InvalidColumns,
    ),
    "Two columns would be named `z`": (
        lambda: DataCollection.api("z", "z"),
        InvalidColumns,
    ),
    "Two columns would be named `e`": (
        lambda: DataCollection.from_arrow(
            pa.table([[1], [2]], names=["e", "e"])
        ).to_list(),
        InvalidColumns,
    ),
    "(3,) names no column": (lambda: TABLE.flatten(3), InvalidColumns),
    "[1] names no column": (lambda: ROWS.show(header=[1]), InvalidColumns),
    "expected a pandas DataFrame, not [1]": (
        lambda: DataCollection.from_df([1]),
        TypeError,
    ),
    "`from_arrow` takes a table or batches, not None": (
        lambda: DataCollection.from_arrow(None),
        TypeError,
    ),
    "expected an Arrow batch, not 1": (
        lambda: DataCollection.from_arrow([1]).to_list(),
        TypeError,
    ),
    "`rename` takes a dictionary, not 'a'": (lambda: TABLE.rename("a"), TypeError),
    "`rename` takes texts as names, not {'a': 3}": (
        lambda: TABLE.rename({"a": 3}),
        InvalidColumns,
    ),
    "`rename` takes texts as names, not {1: 'b'}": (
        lambda: TABLE.rename({1: "b"}),
        InvalidColumns,
    ),
    "`replace` takes a dictionary, not [1]": (
        lambda: TABLE.replace(a=[1]),
        TypeError,
    ),
    "`fill_entity` takes a dictionary, not 3": (
        lambda: TABLE.fill_entity(3),
        TypeError,
    ),
    "`dropna` takes values that are missing, as in ['n/a']": (
        lambda: TABLE.dropna("n/a"),
        TypeError,
    ),
    "`dropna` takes values that are missing, not [[1]]: unhashable type: 'list'; "
    "leave rows out by a function with `filter`": (
        lambda: TABLE.dropna([[1]]),
        TypeError,
    ),
    "seed is 'x', and has to be a whole number, or None": (
        lambda: ROWS.shuffle("x"),
        ValueError,
    ),
    "seed is 1.5, and has to be a whole number, or None": (
        lambda: ROWS.split_train_test(seed=1.5),
        ValueError,
    ),
    "num_worker is 1.5, and has to be a whole number, 1 or more": (
        lambda: ROWS.set_parallel(1.5),
        ValueError,
    ),
    "backend is 'thread' or 'process', not ['process']": (
        lambda: ROWS.set_parallel(2, ["process"]),
        ValueError,
    ),
    "workers is -1, and has to be a whole number, 1 or more": (
        lambda: ROWS.set_engine("local", workers=-1),
        InvalidEngineOptions,
    ),
    "plan is 'rows', and has to be a `towhee.executors.plan.Plan`": (
        lambda: ROWS.set_engine("local", plan="rows"),
        InvalidEngineOptions,
    ),
    "ratio is 'x', and has to be from 0 to 1": (lambda: ROWS.sample("x"), ValueError),
    "buffer is 0, and has to be a whole number, 1 or more": (
        lambda: ROWS.shuffle(buffer=0),
        ValueError,
    ),
    "size is (0.5, 0.3, 0.2), and has to be two shares: (0.9, 0.1)": (
        lambda: ROWS.split_train_test((0.5, 0.3, 0.2)),
        ValueError,
    ),
    "fps is 0, and has to be a number above 0": (
        lambda: ROWS.to_video("a.mp4", fps=0),
        ValueError,
    ),
    "schema is 'a', and has to be a `pyarrow.Schema`": (
        lambda: ROWS.to_parquet("a.parquet", schema="a"),
        TypeError,
    ),
    "limit is None, and has to be a whole number": (
        lambda: ROWS.show(None),
        ValueError,
    ),
    "formatter is 'image', and has to be a dictionary": (
        lambda: ROWS.show(formatter="image"),
        TypeError,
    ),
    "tablefmt is 3, and has to be one of html, plain, grid, terminal": (
        lambda: ROWS.show(tablefmt=3),
        ValueError,
    ),
    "The row has no column `c`": (
        lambda: TABLE.show(formatter={"c": "image"}),
        MissingColumn,
    ),
    "The row has no column `path`": (
        lambda: DataCollection(["a.jpg"]).show(formatter={"path": "image"}),
        MissingColumn,
    ),
    "`sort` cannot order 2 and 'a': '<' not supported": (
        lambda: DataCollection([1, 2, "a"]).sort().to_list(),
        NotComparable,
    ),
    "`sort` cannot order ndarray of shape (2,), int64 and ndarray": (
        lambda: DataCollection([np.array([1, 2]), np.array([2, 1])]).sort().to_list(),
        NotComparable,
    ),
    "`count` cannot tell whether rows equal ndarray of shape (2,), int64: The truth": (
        lambda: DataCollection([np.array([1, 2])]).count(np.array([1, 2])),
        NotComparable,
    ),
    "Parquet cannot hold the rows: Cannot write struct type 'value' with no child": (
        lambda: DataCollection([{}]).to_parquet("a.parquet"),
        UnwritableValue,
    ),
    "what is learned is kept in a `State()`, not in 3": (
        lambda: ROWS.set_training(3),
        TypeError,
    ),
    "3 gives no value": (lambda: param_scope(3), InvalidParameter),  # type: ignore[arg-type]
    "`pipeline` takes a name such as 'image-embedding-resnet50', not 3": (
        lambda: pipeline(3),  # type: ignore[arg-type]
        TypeError,
    ),
    "size is '2', and has to be more than 0": (
        lambda: pipe.input("x").window("x", "y", "2", 1, sum),  # type: ignore[arg-type]
        ValueError,
    ),
    "`pop(7)` on 2 rows: pop index out of range": (
        lambda: ROWS.pop(7).to_list(),
        IndexError,
    ),
    "The collections have different numbers of rows: argument 2 is shorter than argument 1": (
        lambda: TABLE.combine(dc["c"]([1])).to_list(),
        ValueError,
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_a_method_does_not_take_is_said_in_one_sentence(message: str) -> None:
    call, kind = REFUSED[message]
    with pytest.raises(kind, match=f"^{re.escape(message)}"):
        call()


FAILED: dict[str, Callable[[], Any]] = {
    "`as_entity()` failed on row 0, (1,): ValueError: the row has not a value for each of a, b: argument 2 is shorter than argument 1": (
        lambda: DataCollection([(1,)]).as_entity(["a", "b"])
    ),
    "`as_entity()` failed on row 0, 1: TypeError: the row is of type int, which is one value, and 2 names are there for it": (
        lambda: DataCollection([1]).as_entity(["a", "b"])
    ),
    "`as_entity()` failed on row 0, {1: 2}: the mapping has the key 1, and columns are named by text": (
        lambda: DataCollection([{1: 2}]).as_entity()
    ),
    "`as_json()` failed on row 0, nan: JSON cannot hold the row: Out of range float": (
        lambda: DataCollection([float("nan")]).as_json()
    ),
    "JSON cannot hold the row: ": lambda: dc["a"]([np.array([np.inf])]).as_json(),
    "The row has no column `c`": lambda: DataCollection([{"a": 1}]).as_entity(
        ["a", "c"]
    ),
    "`flatten[('a', 'b'), ('a', 'b')]()` failed on row 0, Entity(a=[1], b=[2, 3]): "
    "ValueError: The columns hold different numbers of items: argument 2 is longer than argument 1": (
        lambda: dc["a", "b"]([([1], [2, 3])]).flatten("a", "b")
    ),
    "`group_by()` failed on row 0, [1]: TypeError: unhashable type: 'list'": lambda: (
        DataCollection([[1]]).group_by()
    ),
    "a row has features, and last its label; this one has 1": (
        lambda: DataCollection([1]).set_training().decision_tree()
    ),
}


@pytest.mark.parametrize("reason", FAILED)
def test_a_row_that_a_method_cannot_take_fails_by_its_number(reason: str) -> None:
    with pytest.raises(OperatorFailed, match=re.escape(reason)) as caught:
        FAILED[reason]().to_list()
    assert caught.value.row == 0


def test_more_rows_than_any_collection_has_are_all_of_them() -> None:
    many = 10**30
    rows = DataCollection(iter([1, 2, 3]))
    assert rows.head(many).to_list() == [1, 2, 3]
    assert ROWS.batch(many).to_list() == [ROWS.to_list()]
    assert sorted(DataCollection(iter("ab")).shuffle(buffer=many)) == ["a", "b"]


def test_a_number_that_is_not_one_is_missing_of_whatever_type() -> None:
    nans = [float("nan"), np.float32("nan"), pd.NaT]
    assert dc["a"](nans).dropna().to_list() == []


@pytest.mark.parametrize("lines", ["[{}]", "1\n{}\n"])
def test_json_with_a_number_that_python_does_not_read_names_its_file(
    lines: str,
) -> None:
    Path("long.json").write_text(lines.format("9" * 5000))
    with pytest.raises(UnreadableFile, match=r"`long\.json` is not JSON: Exceeds"):
        DataCollection.read_json("long.json").to_list()


def test_one_column_may_be_named_without_a_list() -> None:
    _ = dc["größe"]([1]).to_parquet("one.parquet")
    (row,) = DataCollection.from_parquet("one.parquet", columns="größe")
    assert json.loads(DataCollection([row]).as_json()[0]) == {"größe": 1}


def test_a_list_in_itself_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    inner: list[object] = []
    inner.append(inner)
    DataCollection([inner]).show()
    assert capsys.readouterr().out == f"{'[' * 11}...{']' * 11}\n"
