"""Files as rows: what they hold, when they are open, and what is wrong with them."""

from __future__ import annotations

import builtins
import csv
import gc
import json
import sys
import tracemalloc
import zipfile
from collections import UserList
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

import towhee
from plugin_spec import HubError
from towhee import DataCollection, dc
from towhee.columns import Entity, MissingColumn
from towhee.extras import MissingExtra
from towhee.reading.files import MissingFile, UnreadableFile
from towhee.rows import EmptyGlob, StreamConsumed

if TYPE_CHECKING:
    from collections.abc import Callable


def write(name: str, content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    Path(name).write_bytes(data)
    return name


def write_zip(name: str, members: dict[str, bytes]) -> str:
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return name


def write_table(name: str, columns: dict[str, Any], group: int | None = None) -> str:
    table = pa.table(columns)
    parquet.write_table(table, name, row_group_size=group, use_dictionary=False)
    return name


def open_files(name: str) -> int:
    """How many descriptors of this process are open on it."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            links.append(descriptor.readlink().name)
    return links.count(name)


READERS: dict[str, Callable[[], DataCollection]] = {
    "rows.csv": lambda: DataCollection.read_csv(write("rows.csv", "a\n1\n2\n3\n")),
    "rows.json": lambda: DataCollection.read_json(write("rows.json", "1\n2\n3\n")),
    "rows.zip": lambda: DataCollection.read_zip(
        write_zip("rows.zip", {"a": b"1", "b": b"2", "c": b"3"})
    ),
    "rows.parquet": lambda: DataCollection.read_parquet(
        write_table("rows.parquet", {"a": [1, 2, 3]}), batch_size=1
    ),
}
each_reader = pytest.mark.parametrize("name", READERS)
linux = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")


@each_reader
def test_a_file_is_a_stream_that_can_be_read_again(name: str) -> None:
    rows = READERS[name]()
    assert rows.is_stream
    assert len(rows.to_list()) == len(rows.to_list()) == 3
    assert rows.unstream()[0] == rows.head(1)[0]
    assert name in repr(rows)


@linux
@each_reader
def test_a_file_is_open_only_while_its_rows_are_asked_for(name: str) -> None:
    rows = READERS[name]()
    assert open_files(name) == 0
    iterator = iter(rows.map(str).batch(1))
    next(iterator)
    assert open_files(name) == 1
    iterator.close()  # type: ignore[attr-defined]  # a generator's
    gc.collect()
    assert open_files(name) == 0
    rows.head(1).to_list()
    rows.to_list()
    gc.collect()
    assert open_files(name) == 0


@pytest.mark.parametrize(
    "read",
    [
        DataCollection.read_csv,
        DataCollection.read_json,
        DataCollection.read_zip,
        DataCollection.read_video,
        DataCollection.read_audio,
        DataCollection.read_parquet,
    ],
)
def test_a_file_that_is_not_there_is_refused_at_once(
    read: Callable[[str], DataCollection],
) -> None:
    write("photos", "")
    with pytest.raises(MissingFile) as caught:
        read("photo")
    assert str(caught.value) == (
        f"There is no file `photo` in `{Path.cwd()}`: did you mean `photos`?"
    )
    with pytest.raises(MissingFile) as caught:
        read("nowhere/photo")
    assert caught.value.hint == "There is no folder `nowhere`"
    assert isinstance(caught.value, HubError)
    assert isinstance(caught.value, FileNotFoundError)


def test_csv_keeps_what_is_quoted_and_skips_what_is_empty() -> None:
    name = write("a.csv", '\ufeffpath,note\n"a,b","two\nlines"\n\nc,"say ""hi"""\n')
    assert DataCollection.read_csv(name).to_list() == [
        Entity(path="a,b", note="two\nlines"),
        Entity(path="c", note='say "hi"'),
    ]


def test_csv_reads_long_fields_and_leaves_others_their_limit() -> None:
    usual = csv.field_size_limit()
    text = "x" * (usual + 1)
    path = dc["a"]([text, text]).to_csv("long.csv")
    one, other = (iter(DataCollection.read_csv(path)) for _ in range(2))
    assert next(one).a == next(other).a == text
    one.close()  # type: ignore[attr-defined]  # it is a generator
    assert next(other).a == text
    other.close()  # type: ignore[attr-defined]  # likewise
    assert csv.field_size_limit() == usual
    csv.field_size_limit(2**27)
    try:
        assert len(DataCollection.read_csv(path).to_list()) == 2
        assert csv.field_size_limit() == 2**27
    finally:
        csv.field_size_limit(usual)


def test_a_quote_that_nothing_closes_ends_at_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("towhee.reading.csv_file._LONGEST", 2**18)
    write("open.csv", 'a\n"' + "x" * 2**19)
    with pytest.raises(
        UnreadableFile, match=r"field larger than field limit \(262144\)"
    ):
        DataCollection.read_csv("open.csv").to_list()
    assert csv.field_size_limit() == 2**17


def test_csv_columns_may_be_named_by_the_caller() -> None:
    name = write("a.csv", "a;1\nb;2\n".encode("latin-1"))
    rows = DataCollection.read_csv(name, columns=["path", "n"], delimiter=";")
    assert rows.map["n", "n"](int).to_list() == [
        Entity(path="a", n=1),
        Entity(path="b", n=2),
    ]


def test_csv_of_nothing_has_no_rows() -> None:
    assert DataCollection.read_csv(write("a.csv", "")).to_list() == []
    assert DataCollection.read_csv(write("b.csv", "path\n")).to_list() == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n3\n", "Line 3 of `x.csv` has 1 fields for 2 columns"),
        (b"a,b\n1,2,3\n", "Line 2 of `x.csv` has 3 fields for 2 columns"),
        (b"a,a\n1,2\n", "Columns of `x.csv` share the name `a`"),
        (
            b'a,b\n1,"2\n',
            "`x.csv` cannot be read after line 2: unexpected end of data",
        ),
        (
            b"a\n\xff\n",
            "`x.csv` cannot be read after line 0: 'utf-8' codec can't decode byte 0xff in position 2: invalid start byte",
        ),
    ],
)
def test_csv_that_is_none_names_the_line(content: bytes, message: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        DataCollection.read_csv(write("x.csv", content)).to_list()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('[{"a": 1}, 2]', [Entity(a=1), 2]),
        ('[\n  {"a": 1},\n  2\n]\n', [Entity(a=1), 2]),
        ('{"a": 1}\n\n{"a": 2}\n', [Entity(a=1), Entity(a=2)]),
        ('\ufeff{"a": 1}', [Entity(a=1)]),
        ('{\n"a": 1\n}', [Entity(a=1)]),
        ("[1, 2]\n[3, 4]\n", [[1, 2], [3, 4]]),
        ("\n\n[1]\n", [1]),
        ("[]", []),
        ("", []),
        ("\n\n", []),
        ("null\n1\n", [None, 1]),
    ],
)
def test_json_is_an_array_or_a_value_a_line(content: str, expected: list[Any]) -> None:
    rows = DataCollection.read_json(write("a.json", content))
    assert rows.to_list() == expected
    assert DataCollection.from_json("a.json").to_list() == expected


def test_json_lines_are_read_as_they_are_asked_for() -> None:
    name = write("a.jsonl", '{"a": 1}\n{"a": 2}\nnot json\n')
    assert DataCollection.read_json(name).head(2).to_list() == [
        Entity(a=1),
        Entity(a=2),
    ]
    with pytest.raises(UnreadableFile) as caught:
        DataCollection.read_json(name).to_list()
    assert str(caught.value) == (
        "Line 3 of `a.jsonl` is not JSON: Expecting value: line 1 column 1 (char 0)"
    )


def test_json_is_read_at_a_place_in_the_document() -> None:
    name = write("a.json", json.dumps({"pages": [{"photos": [{"id": 1}]}, {}]}))
    assert DataCollection.read_json(name, at="pages.0.photos").to_list() == [
        Entity(id=1)
    ]
    for place, message in {
        "page": "`a.json` has nothing at `page`: did you mean `pages`?",
        "pages.2": "`a.json` has nothing at `pages.2`",
        "pages.x": "`a.json` has nothing at `pages.x`",
        "pages.1.photos": "`a.json` has nothing at `pages.1.photos`",
    }.items():
        with pytest.raises(UnreadableFile) as caught:
            DataCollection.read_json(name, at=place).to_list()
        assert str(caught.value) == message


def test_json_that_is_none_says_where() -> None:
    with pytest.raises(UnreadableFile) as caught:
        DataCollection.read_json(write("a.json", "[1,\n2,,\n3]")).to_list()
    assert str(caught.value) == (
        "`a.json` is not JSON: Expecting value: line 2 column 3 (char 6)"
    )
    deep = write("deep.json", "[" * 100_000)
    with pytest.raises(UnreadableFile, match=r"`deep\.json` is not JSON"):
        DataCollection.read_json(deep).to_list()


def test_zip_gives_the_bytes_of_what_matches_in_order() -> None:
    members = {"b/2.jpg": b"two", "a/1.jpg": b"one", "c.txt": b"text"}
    name = write_zip("a.zip", members)
    assert DataCollection.read_zip(name).to_list() == [b"two", b"one", b"text"]
    rows = DataCollection.read_zip(name, "*.jpg", names=True)
    assert rows.to_list() == [("b/2.jpg", b"two"), ("a/1.jpg", b"one")]


def test_zip_writes_nothing_wherever_a_name_points() -> None:
    name = write_zip("a.zip", {"../../outside.txt": b"x", "/tmp/absolute": b"y"})  # noqa: S108  (a hostile name)
    before = sorted(Path.cwd().parent.rglob("*"))
    assert DataCollection.read_zip(name).to_list() == [b"x", b"y"]
    assert sorted(Path.cwd().parent.rglob("*")) == before


def test_zip_that_unpacks_to_too_much_is_refused_in_bounded_memory() -> None:
    name = write_zip("bomb.zip", {"zeros": bytes(20_000_000)})
    assert Path(name).stat().st_size < 50_000
    rows = DataCollection.read_zip(name, limit=1_000_000)
    tracemalloc.start()
    with pytest.raises(UnreadableFile) as caught:
        rows.to_list()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000
    assert str(caught.value) == (
        "`zeros` of `bomb.zip` unpacks to more than 1000000 bytes"
    )
    assert caught.value.hint == "Give a higher `limit` if you trust the archive"


def test_zip_that_is_damaged_or_none_says_so() -> None:
    with pytest.raises(UnreadableFile, match=r"`a\.zip` cannot be unpacked"):
        DataCollection.read_zip(write("a.zip", b"no archive")).to_list()
    whole = Path(write_zip("b.zip", {"a": bytes(range(256)) * 40})).read_bytes()
    flipped = bytearray(whole)
    flipped[60] ^= 0xFF
    with pytest.raises(UnreadableFile, match=r"`b\.zip`"):
        DataCollection.read_zip(write("b.zip", bytes(flipped))).to_list()
    with pytest.raises(UnreadableFile) as caught:
        DataCollection.read_zip(write_zip("c.zip", {"a.txt": b""}), "*.jpg").to_list()
    assert str(caught.value) == "None of the 1 files in `c.zip` matches `*.jpg`"


def test_a_frame_is_rows_that_later_changes_do_not_reach() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3], 7: ["x", "y", None]}, index=[5, 6, 7])
    rows = DataCollection.from_df(frame)
    frame.loc[5, "a"] = 99
    assert rows.to_list()[0] == Entity(**{"a": 1, "7": "x"})
    assert (len(rows), rows[-1].a, rows[1:].map["a", "a"](str)[0].a) == (3, 3, "2")
    assert not rows.is_stream


def test_a_collection_of_a_frame_or_table_has_its_rows() -> None:
    frame = pd.DataFrame({"path": ["a", "b"], "score": [2, 1]})
    expected = [Entity(path="a", score=2), Entity(path="b", score=1)]
    table = pa.table({"path": ["a", "b"], "score": [2, 1]})
    for source in (frame, table, table.to_batches()[0]):
        rows = DataCollection(source)
        assert (rows.to_list(), rows[1], len(rows)) == (expected, expected[1], 2)
        assert dc["score", "path"](source)[1] == Entity(score=1, path="b")


def test_a_series_has_its_values_by_position() -> None:
    paths = pd.Series(["b", "a"], index=[1, 0])
    rows = DataCollection(paths)
    assert (rows[0], rows[-1], rows[:1].to_list()) == ("b", "a", ["b"])
    assert not rows.is_stream
    assert DataCollection([0, 1]).select_from(rows).to_list() == ["b", "a"]
    assert dc["path"](paths)[0] == Entity(path="b")


def test_a_frame_of_another_package_is_refused() -> None:
    class Frame(UserList[str]):
        def __dataframe__(self) -> None: ...

    with pytest.raises(TypeError) as caught:
        DataCollection(Frame())
    assert str(caught.value) == (
        "a Frame iterates over its columns; for its rows write "
        "`from_df(frame.to_pandas())`, or `from_arrow(frame.to_arrow())`"
    )


def test_an_arrow_table_is_rows_and_keeps_its_types() -> None:
    vectors = pa.FixedSizeListArray.from_arrays(pa.array([1.0, 2, 3, 4], "float32"), 2)
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(np.ones((2, 2, 3)))
    table = pa.table({"v": vectors, "t": tensors, "b": [b"1", None], "l": [[1], []]})
    first, second = DataCollection.from_arrow(table)
    assert (second.v.dtype, second.v.tolist()) == (np.float32, [3, 4])
    assert (first.t.shape, first.b, second.b, first.l) == ((2, 3), b"1", None, [1])
    first.v[0] = 9
    assert DataCollection.from_arrow(table)[0].v.tolist() == [1, 2]
    rows = DataCollection.from_arrow(table)
    assert (len(rows), rows[-1].b, len(rows[:1])) == (2, None, 1)
    with pytest.raises(IndexError):
        _ = rows[2]


def test_record_batches_are_a_stream_that_is_read_once() -> None:
    batch = pa.record_batch({"a": [1, 2]})
    assert DataCollection.from_arrow(batch).to_list() == [Entity(a=1), Entity(a=2)]
    reader = pa.RecordBatchReader.from_batches(batch.schema, [batch, batch])
    rows = DataCollection.from_arrow(reader)
    assert rows.is_stream
    assert [row.a for row in rows] == [1, 2, 1, 2]
    with pytest.raises(StreamConsumed):
        rows.to_list()


@pytest.mark.parametrize("group", [10_000, 200_000])
def test_parquet_is_read_in_bounded_memory(group: int) -> None:
    rows = 200_000
    name = write_table("a.parquet", {"n": range(rows)}, group)
    before = pa.total_allocated_bytes()
    peak = total = 0
    for row in DataCollection.read_parquet(name, batch_size=1000):
        total += row.n
        if not row.n % 5000:
            peak = max(peak, pa.total_allocated_bytes() - before)
    assert total == rows * (rows - 1) // 2
    assert peak < 500_000


def test_parquet_reads_the_columns_asked_for_and_misses_others() -> None:
    name = write_table("a.parquet", {"size": [1], "path": ["a"]})
    assert DataCollection.from_parquet(name, columns=["path"]).to_list() == [
        Entity(path="a")
    ]
    with pytest.raises(MissingColumn) as caught:
        DataCollection.read_parquet(name, columns=["paths"]).to_list()
    assert str(caught.value) == (
        "`a.parquet` has no column `paths`: did you mean `path`?"
    )
    with pytest.raises(UnreadableFile, match=r"`b\.parquet` cannot be read"):
        DataCollection.read_parquet(write("b.parquet", b"none")).to_list()


@pytest.mark.parametrize(
    ("package", "read", "message", "extra"),
    [
        ("av", DataCollection.read_video, "Reading video", "video"),
        ("av", DataCollection.read_audio, "Reading audio", "video"),
        ("cv2", DataCollection.read_camera, "Reading a camera", "camera"),
        ("pyarrow", DataCollection.read_parquet, "Reading Parquet", "parquet"),
    ],
)
def test_a_package_that_is_not_installed_is_named_with_its_extra(
    package: str,
    read: Callable[[str], DataCollection],
    message: str,
    extra: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without(name: str, *args: object) -> object:
        if name.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra) as caught:
        read(write("file", "")).to_list()
    assert str(caught.value) == f"{message} needs the package `{package}`"
    assert caught.value.hint == f"Install `towhee-hub[{extra}]`"


def test_a_glob_gives_paths_a_column() -> None:
    write("a.jpg", "")
    assert towhee.glob["path"]("*.jpg").to_list() == [Entity(path="a.jpg")]
    assert towhee.glob("*.jpg").to_list() == ["a.jpg"]
    with pytest.raises(EmptyGlob):
        towhee.glob["path"]("*.png")
