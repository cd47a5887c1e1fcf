"""``hub run``: files in, one file of vectors out."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from docs.json_shapes import differences, read_shapes

from towhee.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

LENGTH = """
from pathlib import Path
import numpy as np

class Subject(Operator):
    def __init__(self, scale=1, batch_size=8):
        self.scale, self.batch_size = scale, batch_size

    def __call__(self, path):
        text = Path(path).read_text()
        if text == "broken":
            raise ValueError("not a photograph")
        return np.array([len(text), self.scale, self.batch_size], np.float32)
"""
SLOW = """
import time

class Subject(Operator):
    def __call__(self, path):
        print("started", flush=True)
        time.sleep(60)
"""
OPTIONS = {"scale": {"type": "integer"}, "batch_size": {"type": "integer"}}


@pytest.fixture
def photographs(publish: Callable[..., Path]) -> list[str]:
    """Three files, and an operator that gives the length of each."""
    publish(LENGTH, name="test/length", parameters=OPTIONS)
    Path("photos").mkdir()
    for number, text in enumerate(("a", "bb", "ccc")):
        Path("photos", f"{number}.txt").write_text(text, encoding="utf-8")
    return [f"photos/{number}.txt" for number in range(3)]


def lengths(output: str = "out.npy") -> list[float]:
    return [float(each) for each in np.load(output)[:, 0]]


def test_every_file_becomes_a_row_in_the_order_given(
    photographs: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "test/length", *reversed(photographs), "-o", "out.npy"]
    assert main(words) == 0
    assert lengths() == [3, 2, 1]
    beside = json.loads(Path("out.files.json").read_text(encoding="utf-8"))
    assert beside["files"] == photographs[::-1]
    assert beside["failures"] == []
    assert beside["description"]["steps"][0]["operator"] == "test/length"
    said = capfd.readouterr()
    assert said.out == ""
    assert re.fullmatch(
        r"Loading test/length\n"
        r"Installing `test/length` for `.*`, as it is used here first\n"
        r"Embedding\n"
        r"Wrote 3 vectors to `out\.npy` in \d+ ms \([\d.]+ images/s\)\n",
        said.err,
    )


def test_files_that_fail_are_listed_at_the_end_and_the_others_count(
    photographs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.txt").write_text("broken", encoding="utf-8")
    files = [photographs[0], "bad.txt", "photos", "gone.txt", photographs[1]]
    words = ["run", "test/length", *files, "-o", "out.npy", "--no-progress"]
    assert main(words) == 1
    assert lengths() == [1, 2]
    said = capsys.readouterr().err
    assert said[said.index("3 files") : said.index("Wrote")] == (
        "3 files of 5 failed\n"
        "  bad.txt: ValueError: not a photograph\n"
        "  photos: a folder, not a file; `photos/*` names the files in it\n"
        "  gone.txt: no such file\n"
    )


def test_what_was_done_as_json(
    photographs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "test/length", photographs[0], "gone.txt", "-o", "out.jsonl"]
    assert main([*words, "--json", "--quiet"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert list(differences(read_shapes()["run"], report)) == []
    assert report.pop("seconds") >= 0
    assert report.pop("images_per_second") > 0
    assert report.pop("description")["pipeline"] == "test.length()"
    assert report == {
        "output": "out.jsonl",
        "files": 2,
        "written": 1,
        "failures": [{"file": "gone.txt", "reason": "no such file"}],
    }
    assert Path("out.jsonl").read_text(encoding="utf-8") == (
        '{"file": "photos/0.txt", "embedding": [1.0, 1.0, 8.0]}\n'
    )


def test_if_every_file_fails_the_old_output_stays(
    photographs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("out.npy").write_text("old", encoding="utf-8")
    before = sorted(Path().rglob("*"))
    assert main(["run", "test/length", "gone.txt", "-o", "out.npy"]) == 1
    assert Path("out.npy").read_text(encoding="utf-8") == "old"
    assert sorted(Path().rglob("*")) == before
    end = "Every file failed, so nothing was written\n"
    assert capsys.readouterr().err.endswith(end)


def test_a_pattern_in_quotes_is_matched_here(photographs: list[str]) -> None:
    assert main(["run", "test/length", "photos/*.txt", "-o", "out.npy"]) == 0
    assert lengths() == [1, 2, 3]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(
    photographs: list[str],
) -> None:
    Path("[0].txt").write_text("four", encoding="utf-8")
    assert main(["run", "test/length", "[0].txt", "-o", "out.npy"]) == 0
    assert lengths() == [4]


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (
            ["none/*.jpg", "-o", "out.npy"],
            "no file matches `none/*.jpg`",
            "Check the folder and the ending",
        ),
        (
            ["a.jpg", "-o", "none/out.npy"],
            "no folder `none` to write `out.npy` into",
            "Make it first",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_loaded(
    words: list[str], message: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "test/nothing", *words]) == 1
    assert capsys.readouterr() == ("", f"error: {message}\n\nhint: {hint}\n")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["-o", "out.csv"],
            "Invalid value for `--output`: the name has to end in one of `.npy`, `.parquet`, `.jsonl`",
        ),
        (
            ["-o", "out.npy", "--option", "scale"],
            "Invalid value for `--option`: expected KEY=VALUE, got `scale`",
        ),
        ([], "Missing option `-o` / `--output`"),
    ],
)
def test_words_that_do_not_read_are_a_mistake_of_status_2(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "test/nothing", "a.jpg", *words]) == 2
    hint = "hint: `hub run --help` says what it takes\n"
    assert capsys.readouterr() == ("", f"error: {message}\n\n{hint}")


def test_options_reach_the_operator(photographs: list[str]) -> None:
    words = ["run", "test/length", photographs[0], "-o", "out.npy"]
    assert main([*words, "--option", "scale=3", "--batch-size", "2"]) == 0
    assert np.load("out.npy").tolist() == [[1, 3, 2]]


def test_an_option_that_the_operator_does_not_take_is_told(
    photographs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "test/length", photographs[0], "-o", "out.npy"]
    assert main([*words, "--option", "scael=3"]) == 1
    assert "scael: unknown: did you mean `scale`?" in capsys.readouterr().err
    assert not Path("out.npy").exists()


def test_ctrl_c_ends_a_run_and_leaves_no_part_of_its_output(
    publish: Callable[..., Path],
) -> None:
    publish(SLOW, name="test/slow")
    Path("a.txt").touch()
    root = Path(__file__).parents[2]
    code = f"import sys; sys.prefix = {sys.prefix!r}; from towhee.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "run", "test/slow", "a.txt", "-o", "out.npy"],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=90)
    assert process.returncode == 130
    assert said.endswith("\nInterrupted; nothing half done is kept\n")
    assert "Traceback" not in said
    assert [each.name for each in Path().glob("*out*")] == []
