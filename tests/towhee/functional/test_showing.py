"""What a look at rows promises: nothing lost, nothing computed by surprise, no markup."""

from __future__ import annotations

import base64
import io
import random
import re
import sys
import types
import wave
from html.parser import HTMLParser
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from towhee import DataCollection
from towhee.columns import Entity, MissingColumn
from towhee.display.table import Table
from towhee.display.text import brief, printable
from towhee.extras import MissingExtra
from towhee.outcome import OperatorFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOSTILE = "<script>alert('1')</script>\" onerror=\"alert(2)\" '&lt; <img src=x>"


def rows(*values: dict[str, Any]) -> DataCollection:
    return DataCollection([Entity(**each) for each in values])


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def only(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(capsys: pytest.CaptureFixture[str]) -> Page:
    return Page(capsys.readouterr().out)


def picture(attributes: dict[str, str | None]) -> Image.Image:
    prefix, _, content = str(attributes["src"]).partition(",")
    assert prefix == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_a_look_computes_no_more_than_it_shows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls: list[int] = []

    def noted(number: int) -> int:
        calls.append(number)
        return number

    for collection in (
        DataCollection.range(100).map(noted),
        DataCollection(list(range(100))).map(noted),
    ):
        calls.clear()
        collection.show(3)
        assert calls == [0, 1, 2]
        assert capsys.readouterr().out == "0\n1\n2\n"
        assert len(collection.to_list()) == 100


def test_what_was_computed_is_not_computed_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls: list[int] = []
    collection = DataCollection([1, 2]).map(lambda n: calls.append(n) or n)
    collection.to_list()
    collection.show()
    assert calls == [1, 2]
    assert capsys.readouterr().out == "1\n2\n"


def test_an_iterator_has_its_rows_back_after_a_look(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pulled: list[int] = []

    def source() -> Iterator[int]:
        for number in range(6):
            pulled.append(number)
            yield number

    stream = DataCollection(source()).filter(lambda n: n % 2)
    stream.show(2)
    assert pulled == [0, 1, 2, 3]
    stream.map(str).show(1)
    assert capsys.readouterr().out == "1\n3\n1\n"
    assert stream.to_list() == [1, 3, 5]
    assert pulled == [0, 1, 2, 3, 4, 5]
    assert repr(stream) == "DataCollection(<generator>).filter(<lambda>)"


ARRANGED: list[Callable[[DataCollection], DataCollection]] = [
    lambda rows: rows.batch(2),
    lambda rows: rows.rolling(2).map(str),
    lambda rows: rows + DataCollection([9]),
    lambda rows: DataCollection([9]) + rows,
    lambda rows: rows.zip(iter("abcde")),
    lambda rows: rows.as_entity("a").combine(
        DataCollection(iter("abcde")).as_entity("b")
    ),
    lambda rows: rows.head(3),
    lambda rows: rows.sample(0.7),
    lambda rows: rows.shuffle(buffer=2),
    lambda rows: rows.shuffle().unstream(),
    lambda rows: rows.as_entity("a").set_chunksize(2),
    lambda rows: rows.exception_safe().map(str).batch(2),
    lambda rows: rows.map(str, float)[0],
    lambda rows: rows.map(str, float)[1].batch(2),
    lambda rows: rows.map(str, float)[0].map(str, float)[1],
    lambda rows: rows.set_parallel(2).map(str).batch(1),
]


@pytest.mark.parametrize("arrange", ARRANGED)
def test_an_iterator_has_its_rows_back_however_they_were_arranged(
    arrange: Callable[[DataCollection], DataCollection],
    capsys: pytest.CaptureFixture[str],
) -> None:
    random.seed(4)
    expected = arrange(DataCollection(iter(range(5)))).to_list()
    random.seed(4)
    rows = arrange(DataCollection(iter(range(5))))
    for _ in range(2):
        rows.show(1)
    assert capsys.readouterr().out
    assert rows.to_list() == expected


def test_a_look_at_one_branch_of_a_stream_leaves_both() -> None:
    pulled = count()
    numbers = DataCollection(n for n in pulled)
    text, real = numbers.map(str, float)
    text.show(2)
    assert next(pulled) == 2
    text.zip(real).show(2)
    assert next(pulled) == 3
    both = text.zip(real)
    assert both.head(3).to_list() == [("0", 0.0), ("1", 1.0), ("4", 4.0)]


def test_an_iterator_has_its_rows_back_after_a_look_that_failed() -> None:
    stream = DataCollection(iter(["1", "x", "2"]))
    with pytest.raises(OperatorFailed, match="row 1, 'x'"):
        stream.map(int).show()
    assert stream.to_list() == ["1", "x", "2"]


def test_an_iterator_that_is_kept_can_be_looked_at_and_read_in_part(
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept = DataCollection(iter("abc")).unstream()
    kept.show(1)
    assert next(iter(kept)) == "a"
    assert kept.head(2).to_list() == ["a", "b"]
    assert kept.map(str.upper).to_list() == ["A", "B", "C"]
    assert kept.to_list() == ["a", "b", "c"]


def test_an_iterator_that_fails_is_not_taken_for_a_shorter_one() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise LookupError

    kept = DataCollection(source()).unstream()
    for _ in range(2):
        with pytest.raises(LookupError):
            kept.to_list()
    stream = DataCollection(source())
    for read in (stream.show, stream.show, stream.to_list):
        with pytest.raises(LookupError):
            read()


def test_every_row_is_shown_without_a_limit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for limit in (0, -1):
        DataCollection.range(30).show(limit)
        assert capsys.readouterr().out == "".join(f"{n}\n" for n in range(30))
    DataCollection([]).show()
    assert capsys.readouterr().out == ""


def test_columns_stand_below_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    collection = rows({"a": 1, "first name": "x"}, {"b": None, "a": [1, 2]})
    collection.show(tablefmt="plain")
    assert capsys.readouterr().out == (
        "a       first name  b\n1       x\n[1, 2]              None\n"
    )
    collection.select("a").show(1, header=["number"], tablefmt="grid")
    assert capsys.readouterr().out == (
        "+--------+\n| number |\n+--------+\n| 1      |\n+--------+\n"
    )
    with pytest.raises(ValueError, match="header has 1 names, and there are 3 columns"):
        collection.show(header=["a"])


def test_failures_that_are_kept_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    safe = DataCollection(["1", "x"]).exception_safe().map(int).as_entity("a")
    safe.show(tablefmt="plain")
    assert capsys.readouterr().out.splitlines()[:2] == ["a", "1"]
    safe.show(tablefmt="html")
    assert "failed: `map(int)` failed on row 1, 'x': ValueError: invalid" in "".join(
        page(capsys).text
    )


@pytest.mark.parametrize("tablefmt", ["terminal", "plain", "grid", "html"])
def test_a_value_is_no_markup(
    tablefmt: str, capsys: pytest.CaptureFixture[str]
) -> None:
    value = "[red]\x1b[31m\x9b31m\u202e\r\n\0:smile:[/red]"
    rows({value: value}).show(tablefmt=tablefmt)
    output = capsys.readouterr().out
    shown = "[red]\\x1b[31m\\x9b31m\\u202e\\r\\n\\x00:smile:[/red]"
    assert output.count(shown) == 2
    assert not re.search("[\x1b\x9b\u202e\r\0]", output)


def test_hostile_html_stays_text_wherever_it_stands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = HOSTILE.replace("/", "")
    Image.new("RGB", (4, 4)).save(Path(name), "PNG")
    audio = Path(f"{name}.wav")
    audio.write_bytes(b"RIFF")

    class Hostile:
        def __repr__(self) -> str:
            return HOSTILE

        def _repr_html_(self) -> str:
            return HOSTILE

    hostile = rows(
        {
            HOSTILE: HOSTILE,
            "object": Hostile(),
            "list": [HOSTILE, (HOSTILE, b"<b>")],
            "dict": {HOSTILE: HOSTILE},
            "file": name,
            "sound": str(audio),
            "missing": HOSTILE,
            "none": "<i>",
            "array": np.array([HOSTILE, HOSTILE]),
            "function": 1,
        },
    )
    formatter = {
        "file": "image",
        "sound": "audio",
        "missing": "image",
        "none": "video",
        "function": lambda _: HOSTILE,
    }
    hostile.show(tablefmt="html", formatter=formatter)
    hostile.show(tablefmt="html", header=[HOSTILE] * 10)
    hostile.map(str).show(tablefmt="html")
    DataCollection([HOSTILE]).exception_safe().map(int).show(tablefmt="html")
    output = capsys.readouterr().out
    output += rows({HOSTILE: HOSTILE})._repr_html_()
    output += DataCollection([HOSTILE]).map(len)._repr_html_()
    found = Page(output)
    assert {tag for tag, _ in found.tags} == {
        *("table", "thead", "tr", "th", "td", "img", "audio", "pre")
    }
    (image,) = found.only("img")
    assert image.keys() == {"src", "alt", "title", "width", "height"}
    assert image["title"] == name
    (player,) = found.only("audio")
    assert player.keys() == {"controls", "preload", "title", "style", "src"}
    assert player["title"] == str(audio)
    assert "".join(found.text).count("<script>alert('1')<") > 12


@given(st.text(), st.text())
def test_no_text_becomes_a_tag(name: str, value: str) -> None:
    shown = rows({name: value}, {name: [value]})._repr_html_()
    found = Page(shown)
    assert {tag for tag, _ in found.tags} <= {"table", "thead", "tr", "th", "td"}
    assert printable(value) in "".join(found.text)


def test_pictures_are_thumbnails(capsys: pytest.CaptureFixture[str]) -> None:
    array = np.zeros((200, 400, 3), np.uint8)
    array[:, :, 0] = 255
    Image.fromarray(array).save("a.jpg")
    collection = rows(
        {
            "array": array,
            "pillow": Image.new("CMYK", (10, 20)),
            "path": "a.jpg",
            "several": [array] * 6,
        }
    )
    collection.show(tablefmt="html", formatter={"path": "image"})
    found = page(capsys)
    images = found.only("img")
    assert [(each["width"], each["height"]) for each in images] == [
        *(("128", "64"), ("10", "20"), ("128", "64")),
        *[("128", "64")] * 4,
    ]
    red = picture(images[0])
    assert red.size == (128, 64)
    assert red.getpixel((5, 5)) == (255, 0, 0)
    assert " and 2 more" in found.text
    collection.show(tablefmt="plain")
    assert capsys.readouterr().out.splitlines()[1].split("  ")[0] == "image 400x200"


def test_a_photograph_is_shown_upright(capsys: pytest.CaptureFixture[str]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save("a.jpg", exif=exif)
    rows({"path": Path("a.jpg")}).show(tablefmt="html", formatter={"path": "image"})
    (image,) = page(capsys).only("img")
    assert (image["width"], image["height"]) == ("20", "40")


def test_what_cannot_be_shown_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.jpg").write_bytes(b"no picture")
    Path("large.mp4").touch()
    with Path("large.mp4").open("r+b") as file:
        file.truncate(2**24 + 1)
    rows(
        {"image": "a.jpg", "gone": "b.jpg", "video": "large.mp4", "audio": "a.jpg"},
    ).show(
        tablefmt="html",
        formatter={
            "image": "image",
            "gone": "image",
            "video": "video_path",
            "audio": "audio",
        },
    )
    text = page(capsys).text
    assert text[4].startswith("a.jpg (cannot identify image file")
    assert text[5].startswith("b.jpg ([Errno 2] No such file")
    assert text[6:8] == [
        "large.mp4 (16 MiB are too much for a page)",
        "a.jpg (no audio file)",
    ]


def test_sound_can_be_played(capsys: pytest.CaptureFixture[str]) -> None:
    samples = np.sin(np.linspace(0, 99, 800, dtype=np.float32)).reshape(2, 400)
    rows({"samples": samples, "rate": 8000, "time": 0.0}).show(tablefmt="html")
    (player,) = page(capsys).only("audio")
    content = base64.b64decode(str(player["src"]).partition(",")[2])
    with wave.open(io.BytesIO(content)) as file:
        assert file.getparams()[:4] == (2, 2, 8000, 400)
        levels = np.frombuffer(file.readframes(400), "<i2").reshape(400, 2)
    assert np.allclose(levels.T / 2**15, samples, atol=1e-4)
    rows({"samples": [1], "rate": 8000}).show(tablefmt="html")
    assert page(capsys).text[2] == "[1] (no audio file)"


def test_a_video_goes_into_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    frames = [np.zeros((16, 16, 3), np.uint8)] * 2
    path = DataCollection(frames).to_video("a.mp4")
    rows({"path": path}).show(tablefmt="html", formatter={"path": "video"})
    (player,) = page(capsys).only("video")
    prefix, _, content = str(player["src"]).partition(",")
    assert prefix == "data:video/mp4;base64"
    assert base64.b64decode(content) == path.read_bytes()


def test_a_function_shows_a_column_its_own_way(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Bold:
        def _repr_html_(self) -> str:
            return "<b>bold</b>"

    collection = rows({"a": 3, "b": 4})
    formatter = {"a": lambda a: "!" * a, "b": lambda _: Bold()}
    collection.show(tablefmt="html", formatter=formatter)
    found = page(capsys)
    assert len(found.only("b")) == 1
    assert found.text[2:] == ["!!!", "bold", "\n"]
    collection.select("a").show(tablefmt="plain", formatter=formatter)
    assert capsys.readouterr().out == "a\n!!!\n"


def test_words_that_are_not_known_are_refused_before_a_row_is_computed() -> None:
    never = DataCollection(iter([1])).map(pytest.fail)
    with pytest.raises(ValueError, match="tablefmt is 'gird'") as caught:
        never.show(tablefmt="gird")
    assert str(caught.value) == (
        "tablefmt is 'gird', and has to be one of html, plain, grid, terminal: did you mean `grid`?"
    )
    with pytest.raises(ValueError, match="the formatter of `a`") as caught:
        never.show(formatter={"a": "picture"})
    assert str(caught.value) == (
        "the formatter of `a` is 'picture', and has to be a function or one of text, image, audio, video"
    )


def test_a_notebook_never_computes_for_a_cell_that_ends_with_a_chain() -> None:
    calls: list[int] = []
    source = DataCollection(range(7))
    chain = source.map(calls.append)
    for unknown in (
        chain,
        chain.stream(),
        DataCollection(iter([1])),
        DataCollection(iter([1])).unstream(),
        source.to_column(),
        chain.to_column(),
    ):
        assert unknown._repr_html_().startswith("<pre>DataCollection(")
    assert calls == []
    assert source._repr_html_().endswith("<p>5 of 7 rows</p>")
    chain.to_list()
    assert "<p>5 of 7 rows</p>" in chain._repr_html_()
    columns = source.as_entity("a").to_column()
    columns.to_list()
    assert "<p>5 of 7 rows</p>" in columns._repr_html_()
    table = DataCollection.from_arrow(columns.to_arrow())
    assert "<p>5 of 7 rows</p>" in table._repr_html_()
    assert "<p>5 of 7 rows</p>" in DataCollection.from_df(table.df)._repr_html_()


def test_a_notebook_gets_html(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """IPython is asked as it documents; what it displays is collected here."""
    displayed: list[str] = []
    shell = types.SimpleNamespace(kernel=object())
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell  # type: ignore[attr-defined]
    display = types.ModuleType("IPython.display")
    display.HTML = str  # type: ignore[attr-defined]
    display.display = displayed.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    rows({"a": 1}).show()
    assert Page(displayed[0]).text == ["a", "1"]
    assert capsys.readouterr().out == ""
    rows({"a": 1}).show(tablefmt="plain")
    del shell.kernel
    rows({"a": 1}).show(tablefmt="plain")
    assert capsys.readouterr().out == "a\n1\n" * 2


def test_without_pillow_pictures_are_words_unless_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    collection = rows({"a": np.zeros((2, 3, 3), np.uint8)})
    collection.show(tablefmt="html")
    assert page(capsys).text[:2] == ["a", "image 3x2"]
    with pytest.raises(MissingExtra) as caught:
        collection.show(tablefmt="html", formatter={"a": "image"})
    assert str(caught.value) == "Showing pictures needs the package `PIL`"
    assert caught.value.hint == "Install `towhee-hub[display]`"


class Shapeless:
    @property
    def shape(self) -> tuple[int, ...]:
        raise LookupError


class Wordless(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise LookupError


class Raising:
    def __repr__(self) -> str:
        raise LookupError


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "None"),
        (True, "True"),
        (1.5, "1.5"),
        (np.float32(0.1), "0.1"),
        ("x" * 200, "x" * 127 + "…"),
        (b"1234", "4 bytes"),
        (np.arange(2048, dtype=np.float32), "[0, 1, 2, 3, …] float32 2048"),
        (np.zeros((2, 3)), "[0, 0, 0, 0, …] float64 2x3"),
        (np.zeros((2, 3, 3), np.uint8), "image 3x2"),
        (np.zeros((0, 3, 3), np.uint8), "[] uint8 0x3x3"),
        (np.array(3), "3"),
        (np.array(["a"]), "[a] <U1 1"),
        ([np.zeros(9)] * 9, "[" + "[0, 0, 0, 0, …] float64 9, " * 4 + "…]"),
        (Path("a.jpg"), "PosixPath('a.jpg')"),
        (Entity(a=1), "Entity(a=1)"),
    ],
)
def test_values_are_told_in_a_few_words(value: object, words: str) -> None:
    assert brief(value) == words


def test_a_value_that_cannot_tell_of_itself_is_shown_all_the_same() -> None:
    assert brief(Raising()).startswith("<Raising instance at 0x")
    assert brief(10**5000) == "<int>"
    assert brief(Shapeless()).startswith("<")
    assert brief(Wordless("x")) == "'x'"
    assert Table.of([Raising()]).rows[0]


@pytest.mark.parametrize(
    ("samples", "rate", "words"),
    [
        (np.zeros(2**23 + 1, np.float32), 8000, "16 MiB are too much for a page"),
        (
            np.zeros((2, 9), np.float32),
            2**31,
            "the column `rate` says no number of samples a second",
        ),
    ],
)
def test_sound_that_no_page_plays_is_told(
    samples: object, rate: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows({"samples": samples, "rate": rate}).show(tablefmt="html")
    assert f"({words})" in "".join(page(capsys).text)


def test_a_rate_may_be_a_number_of_numpy(capsys: pytest.CaptureFixture[str]) -> None:
    rows({"samples": np.zeros(9), "rate": np.int64(8000)}).show(tablefmt="html")
    assert page(capsys).only("audio")


@pytest.mark.parametrize("value", [None, 3, b"x", np.zeros(5, np.uint8)])
def test_what_has_no_rows_of_pixels_is_no_picture(
    value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    rows({"a": value}).show(tablefmt="html", formatter={"a": "image"})
    shown = page(capsys).text[1]
    assert shown == f"{brief(value)} (no picture, nor where one is)"


def test_a_tensor_that_becomes_no_array_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.zeros((2, 9), requires_grad=True)
    forms = {"picture": "image"}
    table = rows({"samples": tensor, "rate": 8000, "picture": tensor})
    table.show(tablefmt="html", formatter=forms)
    text = "".join(page(capsys).text)
    assert text.count("Can't call numpy() on Tensor that requires grad") == 2


@pytest.mark.parametrize(
    ("formatter", "message"),
    [
        (
            {"a": []},
            "the formatter of `a` is [], and has to be a function or one of text, image, audio, video",
        ),
        ({3: "text"}, "The row has no column `3`"),
    ],
)
def test_a_formatter_of_the_wrong_kind_is_told(
    formatter: dict[Any, Any], message: str
) -> None:
    with pytest.raises((ValueError, MissingColumn)) as caught:
        rows({"a": 1}).show(formatter=formatter)
    assert str(caught.value) == message
