"""A function is told from another by its code and by what it holds, in any process."""

from __future__ import annotations

import functools
import operator
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from installation import ROOT

from towhee import DataCollection
from towhee.vectors.captures import captures, code_digest
from towhee.vectors.checkpoint import AnotherJob
from towhee.vectors.fingerprints import Mark

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ELSEWHERE = """if True:
    from towhee.vectors.captures import captures, code_digest
    from towhee.vectors.fingerprints import Mark

    def function(path, kinds={"jpg", "png", "gif"}):
        nested = lambda: (path in {"a", "b", "c"}, path in ({"x", "y"}, 1))
        return path in {"jpg", "png", "gif"} and nested()

    print(code_digest(function), captures(function), Mark.of([{"x", "y", ("z",)}]).digest)
"""


def scaled(k: int) -> Callable[[float], list[float]]:
    return lambda number: [number * k, 1.0]


def scale(number: float, k: float = 1) -> list[float]:
    return [number * k, 1.0]


def scale_by_default(k: float) -> Callable[[float], list[float]]:
    def scale(number: float, k: float = k) -> list[float]:
        return [number * k, 1.0]

    return scale


class Scale:
    def __init__(self, k: float) -> None:
        self.k = k
        self.lock = threading.Lock()

    def __call__(self, number: float) -> list[float]:
        return [number * self.k, 1.0]

    def apply(self, number: float) -> list[float]:
        return self(number)


@dataclass(frozen=True)
class Settings:
    size: int


def test_sets_are_read_alike_in_every_process() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", ELSEWHERE],
            check=True,
            capture_output=True,
            cwd=ROOT,
            env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT)},
        ).stdout
        for seed in range(3)
    }
    assert len(said) == 1


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (scaled, "k"),
        (scale_by_default, "k"),
        (lambda k: functools.partial(scale, k=k), "k"),
        (Scale, "self.k"),
        (lambda k: Scale(k).apply, "self.k"),
    ],
    ids=["closure", "default", "partial", "object", "method"],
)
def test_a_function_that_holds_another_value_is_another_one(
    tmp_path: Path, make: Callable[[int], Callable[[float], Any]], name: str
) -> None:
    DataCollection([1.0]).map(make(1)).to_faiss(tmp_path / "s")
    DataCollection([1.0]).map(make(1)).to_faiss(tmp_path / "s")
    with pytest.raises(AnotherJob, match=rf"step 1, .*: `{name}` was 1, is 100\n"):
        DataCollection([1.0]).map(make(100)).to_faiss(tmp_path / "s")


def test_what_changes_as_rows_are_computed_is_not_compared(tmp_path: Path) -> None:
    def remembering(k: int) -> Callable[[float], list[float]]:
        known: dict[float, list[float]] = {}
        count = 0

        def embed(number: float) -> list[float]:
            nonlocal count
            count += 1
            return known.setdefault(number, [number * k, 1.0])

        return embed

    embed = remembering(1)
    DataCollection([1.0, 2.0]).map(embed).to_faiss(tmp_path / "s")
    rows = DataCollection([1.0, 2.0, 3.0])
    assert rows.map(embed).to_faiss(tmp_path / "s").new == 1
    assert rows.map(remembering(1)).to_faiss(tmp_path / "s").new == 0
    with pytest.raises(AnotherJob, match="`k` was 1, is 2"):
        rows.map(remembering(2)).to_faiss(tmp_path / "s")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a", "b"),
        (b"a", b"b"),
        (None, 0),
        (1, True),
        ([1, 2], (1, 2)),
        ([[1], 2], [1, [2]]),
        ({"a": 1}, {"a": 2}),
        ({1, 2}, {1, 3}),
        (np.zeros(3), np.ones(3)),
        (np.array([None]), np.array(["x"], dtype=object)),
        (int, float),
        (Settings(1), Settings(2)),
        (scaled(1), scaled(2)),
        ([scaled(1)], [scaled(2)]),
        (operator.itemgetter(1).__call__, None),
    ],
    ids=str,
)
def test_values_that_last_are_told_apart(one: object, other: object) -> None:
    assert captures(lambda: one) != captures(lambda: other)


def test_values_that_do_not_last_are_left_out() -> None:
    model, lock, rows = object(), threading.Lock(), iter([1])
    assert captures(lambda: (model, lock, rows)) == {}
    assert captures(Scale(2)).keys() == {"__call__", "self.k"}
    assert captures(len) == captures(str) == {}


def test_what_holds_itself_is_read_to_its_end() -> None:
    def again(number: int) -> int:
        return again(number - 1) if number else len(held)

    held: list[object] = [again]
    held.append(held)
    assert captures(again).keys() == {"again", "held"}
    assert captures(again) == captures(again)


def test_what_picks_from_a_row_is_told_apart() -> None:
    assert captures(operator.itemgetter(1)) == {"args[0]": "1"}
    assert captures(operator.attrgetter("a")) != captures(operator.attrgetter("b"))
    assert captures(operator.methodcaller("f", k=1))["k"] == "1"


def test_a_wrapped_function_is_told_apart() -> None:
    def wrapped(function: Callable[[float], Any]) -> Callable[[float], Any]:
        return lambda number: function(number + 1)

    assert captures(wrapped(scale)) == {
        "function": code_digest(scale),
        "function.k": "1",
    }
    assert captures(functools.cache(scale)) != captures(functools.cache(scaled))


def test_objects_in_an_array_have_a_mark_that_lasts() -> None:
    texts = [np.array([str(12), None], dtype=object) for _ in range(2)]
    assert Mark.of(texts[0]) == Mark.of(texts[1])
