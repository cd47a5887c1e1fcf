"""What methods promise that write rows: all of them, in their place, or nothing."""

from __future__ import annotations

import csv
import datetime as dt
import io
import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from plugin_spec.vector_stores import SearchResult
from towhee import DataCollection, dc
from towhee.columns import Entity, MissingColumn
from towhee.extras import MissingExtra
from towhee.outcome import OperatorFailed
from towhee.vector_files import UnwritableValue
from towhee.writing.progress import watched
from towhee.writing.staging import UnwritablePath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]
NOON = dt.datetime(2026, 1, 2, 12)  # noqa: DTZ001  (one without a zone)
FRAME = np.zeros((16, 16, 3), np.uint8)
WRITERS: dict[str, Callable[[DataCollection, Path], object]] = {
    "rows.csv": DataCollection.to_csv,
    "rows.parquet": DataCollection.to_parquet,
    "rows.mp4": DataCollection.to_video,
}


def rows(*values: dict[str, Any]) -> DataCollection:
    return DataCollection([Entity(**each) for each in values])


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_what_stops_midway_leaves_the_old_file_and_nothing_else(
    name: str, error: type[BaseException]
) -> None:
    def source() -> Iterator[Any]:
        yield from [FRAME.tolist()] * 10 if name == "rows.csv" else [FRAME] * 10
        raise error

    path = Path(name)
    for old in (None, b"the old file"):
        if old is not None:
            path.write_bytes(old)
        with pytest.raises(error):
            WRITERS[name](DataCollection(source()), path)
        assert [each.name for each in Path().iterdir()] == ([name] if old else [])
        assert old is None or path.read_bytes() == old


@pytest.mark.parametrize("name", WRITERS)
def test_rows_that_failed_and_were_kept_are_not_swallowed(name: str) -> None:
    safe = DataCollection(["1", "x"]).exception_safe().map(int)
    with pytest.raises(OperatorFailed, match="failed on row 1, 'x'"):
        WRITERS[name](safe.map(lambda n: FRAME + np.uint8(n)), Path(name))
    assert not list(Path().iterdir())


@pytest.mark.parametrize("name", WRITERS)
def test_a_place_where_no_file_can_be_is_refused_before_a_row_is_computed(
    name: str,
) -> None:
    never = DataCollection(iter(int, 1)).map(pytest.fail)
    with pytest.raises(UnwritablePath) as caught:
        WRITERS[name](never, Path("folder") / name)
    assert str(caught.value) == f"There is no folder `{Path.cwd()}/folder` for `{name}`"
    Path(name).mkdir()
    with pytest.raises(UnwritablePath) as caught:
        WRITERS[name](never, Path(name))
    assert str(caught.value) == f"`{name}` is there, and is no file"


def test_ctrl_c_ends_at_once_and_leaves_the_old_file() -> None:
    Path("rows.csv").write_text("old")
    code = """
import itertools, time
from towhee import DataCollection
def slow(row):
    if row == 100:
        print("under way", flush=True)
    time.sleep(0.001)
    return row
DataCollection(itertools.count()).map(slow).to_csv("rows.csv")
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "under way\n"
    stopped = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert time.monotonic() - stopped < 10
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert Path("rows.csv").read_text() == "old"
    assert [each.name for each in Path().iterdir()] == ["rows.csv"]


def test_a_link_stays_and_what_it_leads_to_is_replaced() -> None:
    Path("folder").mkdir()
    Path("folder/real.csv").write_text("old")
    Path("link.csv").symlink_to("folder/real.csv")
    DataCollection([1]).to_csv("link.csv")
    assert Path("link.csv").is_symlink()
    assert Path("folder/real.csv").read_text() == "1\n"


def test_csv_takes_what_rows_hold() -> None:
    collection = rows(
        {
            "first name": 'a "b", c',
            "v": np.float32([0.5, 1]),
            "n": None,
            "p": Path("x"),
        },
        {"first name": "two\nlines", "v": [1, "ä"], "n": 1.5, "p": np.int64(3)},
    )
    assert collection.to_csv("rows.csv") == Path("rows.csv")
    assert Path("rows.csv").read_bytes().decode() == (
        'first name,v,n,p\r\n"a ""b"", c","[0.5, 1.0]",,x\r\n"two\nlines","[1, ""ä""]",1.5,3\r\n'
    )
    collection.select("n", "p").to_csv("rows.csv", delimiter="\t", encoding="utf-16")
    assert Path("rows.csv").read_text(encoding="utf-16") == "n\tp\n\tx\n1.5\t3\n"
    big = np.arange(5000)
    DataCollection([Entity(v=big)]).to_csv("big.csv")
    assert Path("big.csv").read_text().count(",") == 4999


def test_csv_says_which_row_has_no_form_in_text() -> None:
    for row, message in (
        ("ß", "row 1 cannot be written: 'ascii' codec can't encode"),
        ([[object()]], "row 1 cannot be written: a object has no form in JSON"),
        (10**5000, "row 1 cannot be written: Exceeds the limit"),
        (b"\0\xff", "row 1 cannot be written: a bytes has no form in JSON"),
        (object(), "row 1 cannot be written: a object has no form in JSON"),
        ({1, 2}, "row 1 cannot be written: a set has no form in JSON"),
        (SearchResult([], [], []), "row 1 cannot be written: a SearchResult has no"),
    ):
        with pytest.raises(UnwritableValue, match=message) as caught:
            DataCollection(["a", row]).to_csv("none.csv", encoding="ascii")
        assert caught.value.hint
    with pytest.raises(UnwritableValue, match="the columns' names cannot be written"):
        dc["größe"]([1]).to_csv("none.csv", encoding="ascii")
    assert not Path("none.csv").exists()


def test_csv_of_rows_without_columns_has_their_values() -> None:
    DataCollection([(1, "a"), [2, "b"], "c d", None]).to_csv("rows.csv")
    assert Path("rows.csv").read_text() == '1,a\n2,b\nc d\n""\n'
    DataCollection([]).to_csv("rows.csv")
    assert Path("rows.csv").read_text() == ""


def test_csv_takes_what_says_itself_in_text() -> None:
    values = [True, 2**70, Decimal("0.10"), 1 + 2j, NOON, NOON.date(), np.float32(0.1)]
    DataCollection([values]).to_csv("rows.csv")
    assert Path("rows.csv").read_text() == (
        "True,1180591620717411303424,0.10,(1+2j),2026-01-02 12:00:00,2026-01-02,0.1\n"
    )


def test_csv_of_dicts_is_read_as_rows() -> None:
    path = DataCollection([{"a": 1, "b": "x"}, {"b": "y"}]).to_csv("rows.csv")
    assert DataCollection.read_csv(path).to_list() == [
        Entity(a="1", b="x"),
        Entity(a="", b="y"),
    ]
    with pytest.raises(UnwritableValue, match="row 1 has a column `c`"):
        DataCollection([{"a": 1}, {"c": 1}]).to_csv("rows.csv")
    with pytest.raises(UnwritableValue) as caught:
        DataCollection([{1: 2}]).to_csv("rows.csv")
    assert str(caught.value) == "row 0 has the key 1, and columns are named by text"


def test_csv_says_which_row_differs() -> None:
    assert rows({"a": 1, "b": 2}, {"b": 3}).to_csv("rows.csv").read_text() == (
        "a,b\n1,2\n,3\n"
    )
    with pytest.raises(UnwritableValue) as caught:
        rows({"a": 1}, {"a": 1, "c": 3}).to_csv("rows.csv")
    assert str(caught.value) == ("row 1 has a column `c`, which the first one lacks")
    with pytest.raises(MissingColumn):
        DataCollection([Entity(a=1), 2]).to_csv("rows.csv")


TEXT = st.text(st.characters(codec="utf-8"))


@given(st.lists(st.tuples(TEXT, st.integers()), min_size=1), st.sampled_from(",;\t|"))
def test_csv_can_be_read_again(values: list[tuple[str, int]], delimiter: str) -> None:
    collection = DataCollection(values).as_entity(["a", "b"])
    collection.to_csv("rows.csv", delimiter=delimiter)
    text = Path("rows.csv").read_bytes().decode()
    found = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    assert found == [["a", "b"], *([text, str(number)] for text, number in values)]


def test_parquet_is_written_in_groups_and_read_as_it_was() -> None:
    vectors = np.random.default_rng(0).random((25, 4), np.float32)
    collection = DataCollection(vectors).as_entity("v")
    path = collection.map["v", "first name"](float_sum).to_parquet(
        "rows.parquet", row_group_size=10
    )
    file = parquet.ParquetFile(path)
    sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert sizes == [10, 10, 5]
    assert file.schema_arrow.field("v").type == pa.list_(pa.float32(), 4)
    back = DataCollection.from_parquet(path).to_list()
    assert np.array_equal([row.v for row in back], vectors)
    assert [row["first name"] for row in back] == [float_sum(v) for v in vectors]


def float_sum(vector: Any) -> float:  # noqa: ANN401
    return float(vector.sum())


def test_parquet_holds_no_more_rows_than_a_group() -> None:
    pulled: list[int] = []
    written: list[int] = []

    def source() -> Iterator[Entity]:
        for n in range(40):
            pulled.append(n)
            written.append(sum(each.stat().st_size for each in Path().iterdir()))
            yield Entity(a=np.random.default_rng(n).bytes(5000))

    stream = DataCollection(source())
    stream.to_parquet("rows.parquet", row_group_size=10, compression="none")
    assert written[9] < 1000
    assert written[39] > 140_000
    assert parquet.read_metadata("rows.parquet").num_rows == 40


def test_parquet_takes_columns_as_they_are() -> None:
    kept = DataCollection([1, 2, 3]).as_entity("a").set_chunksize(2)
    kept.cmap["a", "b"](np.negative).to_parquet("rows.parquet", row_group_size=3)
    assert parquet.read_metadata("rows.parquet").num_row_groups == 1
    assert parquet.read_table("rows.parquet").to_pylist() == [
        {"a": n, "b": -n} for n in (1, 2, 3)
    ]
    DataCollection(["x", "y"]).to_parquet("rows.parquet")
    assert parquet.read_table("rows.parquet").to_pydict() == {"value": ["x", "y"]}
    DataCollection([]).to_parquet("rows.parquet")
    assert parquet.read_table("rows.parquet").num_rows == 0


def test_later_rows_fit_the_first_ones_or_the_schema() -> None:
    mixed = rows({"a": 1.5, "b": "x"}, {"a": 2}, {"b": None, "a": None})
    mixed.to_parquet("rows.parquet", row_group_size=1)
    assert parquet.read_table("rows.parquet").to_pydict() == {
        "a": [1.5, 2.0, None],
        "b": ["x", None, None],
    }
    late = rows({"a": None}, {"a": "x"})
    with pytest.raises(UnwritableValue) as caught:
        late.to_parquet("late.parquet", row_group_size=1)
    assert str(caught.value).startswith(
        "the column `a` is null in the schema, or in the first rows, and string later: "
    )
    assert caught.value.hint == "Give `schema=` a `pyarrow.Schema` that fits all rows"
    assert not Path("late.parquet").exists()
    schema = pa.schema({"a": pa.string(), "c": pa.int8()})
    late.to_parquet("late.parquet", row_group_size=1, schema=schema)
    assert parquet.read_table("late.parquet").schema == schema
    with pytest.raises(UnwritableValue) as caught:
        rows({"a": 1}, {"a": 1, "c": 3}).to_parquet("rows.parquet", row_group_size=1)
    assert str(caught.value) == (
        "the column `c` is not in the schema, or in the first rows"
    )
    with pytest.raises(UnwritableValue, match="hold the column `a`"):
        rows({"a": object()}).to_parquet("rows.parquet")


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ({"x": 1}, {"y": 2}),
        (12345, "00501"),
        (True, 5),
        (5, True),
        (NOON.date(), NOON),
        (NOON, NOON.astimezone(dt.UTC)),
        ("a", b"b"),
        (np.float32(0.1), 0.1),
        (np.ones(2, np.float32), np.full(2, 0.1)),
        (np.float16(1), 4097),
        ([1], ["a"]),
    ],
)
def test_no_later_row_is_changed_to_fit_the_first_ones(first: Any, later: Any) -> None:  # noqa: ANN401
    with pytest.raises(UnwritableValue, match=r"later: values would be changed"):
        rows({"v": first}, {"v": later}).to_parquet("rows.parquet", row_group_size=1)
    assert not Path("rows.parquet").exists()


@pytest.mark.parametrize(
    ("first", "later"),
    [
        (1, 2.0),
        (0.1, np.float32(0.1)),
        ({"x": 1, "y": "a"}, {"y": "b", "x": 2}),
        ([0.5], [1]),
        (np.float32([0.5, 1]), None),
        ([1, 2], np.array([3, 4])),
    ],
)
def test_later_rows_of_a_narrower_type_come_back_equal(first: Any, later: Any) -> None:  # noqa: ANN401
    path = rows({"v": first}, {"v": later}).to_parquet("a.parquet", row_group_size=1)
    assert np.array_equal(DataCollection.from_parquet(path).to_list()[1].v, later)


def test_a_schema_may_ask_for_other_types_and_round_floats() -> None:
    def written(value: object, kind: pa.DataType) -> Any:  # noqa: ANN401
        path = rows({"v": value}).to_parquet("a.parquet", schema=pa.schema({"v": kind}))
        return DataCollection.from_parquet(path).to_list()[0].v

    assert written(5, pa.string()) == "5"
    assert written("501", pa.int64()) == 501
    assert written(0.1, pa.float32()) == np.float32(0.1)
    assert written([0.1, 1], pa.list_(pa.float32(), 2)).dtype == np.float32
    for value, kind in (
        ("00501", pa.int64()),
        (5, pa.bool_()),
        (NOON, pa.date32()),
        ({"y": 1}, pa.struct({"x": pa.int64()})),
    ):
        with pytest.raises(UnwritableValue, match=r"later: values would be changed"):
            written(value, kind)


def read_video(path: Path) -> tuple[list[Any], float]:
    with av.open(path) as container:
        (stream,) = container.streams.video
        frames = [
            frame.to_ndarray(format="rgb24") for frame in container.decode(stream)
        ]
        return frames, float(stream.average_rate or 0)


@pytest.mark.parametrize(
    ("name", "codec", "size"),
    [
        *[("a.mp4", None, size) for size in ((48, 64), (47, 63), (48, 63))],
        *[("a.mkv", "ffv1", size) for size in ((48, 64), (47, 63))],
        ("a.webm", None, (47, 63)),
        # It knows no odd sizes.
        ("a.avi", "mpeg4", (48, 64)),
    ],
)
def test_video_has_the_frames_in_their_colours(
    name: str, codec: str | None, size: tuple[int, int]
) -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    frames = [np.full((*size, 3), colour, np.uint8) for colour in colours]
    path = DataCollection(frames).to_video(name, fps=12.5, codec=codec)
    found, rate = read_video(path)
    assert [frame.shape for frame in found] == [frame.shape for frame in frames]
    assert rate == 12.5
    for frame, expected in zip(found, frames, strict=True):
        assert np.abs(frame.astype(int) - expected).mean() < 10


def test_frames_may_be_any_arrays_of_pixels() -> None:
    pillow = pytest.importorskip("PIL.Image")
    frames = [pillow.fromarray(FRAME), FRAME.tolist(), FRAME[:, ::-1]]
    with pytest.raises(UnwritableValue, match="row 1 is int64"):
        DataCollection(frames).to_video("a.mp4")
    assert len(read_video(DataCollection(frames[::2]).to_video("a.gif", 10))[0]) == 2


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "there is no frame to write"),
        (
            [FRAME, FRAME[:8]],
            "row 1 is uint8 of shape (8, 16, 3), and frames are uint8 of shape (height, width, 3), all of one size",
        ),
        (
            [FRAME[..., 0]],
            "row 0 is uint8 of shape (16, 16), and frames are uint8 of shape (height, width, 3), all of one size",
        ),
        (
            [FRAME.astype(float)],
            "row 0 is float64 of shape (16, 16, 3), and frames are uint8 of shape (height, width, 3), all of one size",
        ),
        (
            [FRAME[:0]],
            "row 0 is uint8 of shape (0, 16, 3), and frames are uint8 of shape (height, width, 3), all of one size",
        ),
        (
            [[[1], [1, 2]]],
            "row 0 is no frame: setting an array element with a sequence. The requested array has an inhomogeneous shape after 1 dimensions. The detected shape was (2,) + inhomogeneous part.",
        ),
    ],
)
def test_what_is_no_frame_is_told(frames: list[Any], message: str) -> None:
    with pytest.raises(UnwritableValue) as caught:
        DataCollection(frames).to_video("a.mp4")
    assert str(caught.value) == message
    assert not list(Path().iterdir())


def test_a_codec_or_ending_that_is_not_known_is_told() -> None:
    with pytest.raises(UnwritableValue) as caught:
        DataCollection([FRAME]).to_video("a.mp4", codec="x264?")
    assert str(caught.value) == ("`a.mp4` cannot hold these frames as `x264?`: x264?")
    with pytest.raises(UnwritableValue) as caught:
        DataCollection([FRAME]).to_video("a.nothing")
    assert str(caught.value) == "no kind of video ends in `.nothing`"
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("name", "codec", "message"),
    [
        ("a.wav", None, "'wav' format does not support 'libx264' codec"),
        ("a.mp4", "gif", "'mp4' format does not support 'gif' codec"),
        ("a.mp4", "aac", "audio stream `rate` must be: int | None"),
    ],
)
def test_a_codec_that_the_file_cannot_hold_is_told(
    name: str, codec: str | None, message: str
) -> None:
    with pytest.raises(UnwritableValue) as caught:
        DataCollection([FRAME]).to_video(name, codec=codec)
    codec = codec or "libx264"
    assert str(caught.value) == f"`{name}` cannot hold these frames as `{codec}`: " + (
        message
    )
    hint = "Give another `codec`, another ending, or frames of another size"
    assert caught.value.hint == hint
    assert not list(Path().iterdir())


@pytest.mark.parametrize("ending", [".m3u8", ".mpd", ".png"])
def test_a_video_in_several_files_is_refused_and_leaves_none(ending: str) -> None:
    with pytest.raises(UnwritableValue) as caught:
        DataCollection([FRAME] * 3).to_video(f"a{ending}")
    assert str(caught.value) == f"`{ending}` is no video in one file"
    hint = "Give a name that ends in `.mp4`, `.mkv`, `.webm` or `.gif`"
    assert caught.value.hint == hint
    assert not list(Path().iterdir())


def test_a_video_without_an_ending_is_refused() -> None:
    with pytest.raises(UnwritableValue) as caught:
        DataCollection([FRAME]).to_video("video")
    assert str(caught.value) == "no kind of video ends in ``"


@pytest.mark.parametrize("fps", [1e-9, 1e300, 40000])
def test_a_number_of_frames_a_second_that_no_video_has_is_refused_at_once(
    fps: float,
) -> None:
    rows = iter([FRAME])
    with pytest.raises(ValueError, match="and has to be from 1/32767 to 32767"):
        DataCollection(rows).to_video("a.mp4", fps)
    assert next(rows) is FRAME


@pytest.mark.parametrize("fps", [np.float32(12.5), np.int64(5), 1e-4, 30000 / 1001])
def test_frames_a_second_may_be_any_number(fps: float) -> None:
    rate = read_video(DataCollection([FRAME] * 3).to_video("a.mp4", fps))[1]
    assert rate == pytest.approx(float(fps), rel=1e-3)


@pytest.mark.parametrize("name", WRITERS)
def test_a_name_as_long_as_a_folder_takes_can_be_written(name: str) -> None:
    path = Path("é" * 120 + Path(name).suffix)
    WRITERS[name](DataCollection([FRAME] if name.endswith("mp4") else [1]), path)
    assert list(Path().iterdir()) == [path]


@pytest.mark.parametrize("name", WRITERS)
def test_a_name_that_no_folder_takes_is_refused_before_a_row_is_computed(
    name: str,
) -> None:
    rows, path = iter([1]), Path("x" * 300 + Path(name).suffix)
    with pytest.raises(UnwritablePath) as caught:
        WRITERS[name](DataCollection(rows), path)
    assert str(caught.value) == f"No file can be put at `{path}`: File name too long"
    hint = "Give another name, or a folder that you may write to"
    assert caught.value.hint == hint
    assert next(rows) == 1


def test_a_frame_of_pandas_has_the_rows() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    frame = rows(
        {"a": 1, "v": np.ones(2), "image": image, "l": [1]}, {"a": 2, "b": "x"}
    ).to_df()
    assert list(frame.columns) == ["a", "v", "image", "l", "b"]
    assert frame["a"].tolist() == [1, 2]
    assert frame["image"][0] is image
    assert frame["l"][0] == [1]
    assert frame["v"][1] is None or pd.isna(frame["v"][1])
    assert DataCollection([(1, 2)]).df["value"].tolist() == [(1, 2)]
    assert len(DataCollection([]).df) == 0
    assert DataCollection.from_df(DataCollection([1]).as_entity("a").df)[0] == Entity(
        a=1
    )


@pytest.mark.parametrize(
    ("package", "write", "message", "hint"),
    [
        ("pandas", DataCollection.to_df, "A DataFrame", "dataframe"),
        ("pyarrow", DataCollection.to_arrow, "Keeping rows as columns", "parquet"),
        ("numpy", DataCollection.to_arrow, "Keeping rows as columns", "parquet"),
        ("pyarrow", lambda r: r.to_parquet("a.parquet"), "Writing Parquet", "parquet"),
        ("av", lambda r: r.to_video("a.mp4"), "Writing video", "video"),
        ("numpy", lambda r: r.to_video("a.mp4"), "Writing video", "video"),
    ],
)
def test_a_package_that_is_missing_names_its_extra(
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    write: Callable[[DataCollection], object],
    message: str,
    hint: str,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra) as caught:
        write(DataCollection([1]))
    assert str(caught.value) == f"{message} needs the package `{package}`"
    assert caught.value.hint == f"Install `towhee-hub[{hint}]`"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_long_work_is_shown_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("towhee.writing.progress._PATIENCE", 0)
    monkeypatch.setattr("towhee.writing.progress._PAUSE", 0)
    assert list(watched("abc", "Writing")) == list("abc")
    assert capsys.readouterr().err == ""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    assert list(watched(range(1000), "Writing rows.csv")) == list(range(1000))
    assert "Writing rows.csv: " in terminal.getvalue()
    assert list(watched(range(1000), "Writing", total=1000)) == list(range(1000))
    assert "/1000" in terminal.getvalue()
