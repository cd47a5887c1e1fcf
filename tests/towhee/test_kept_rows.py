"""A list that was made of an iterator's rows gives them to everyone, at any time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from towhee import DataCollection
from towhee.outcome import OperatorFailed

if TYPE_CHECKING:
    from collections.abc import Callable


def stream() -> DataCollection:
    return DataCollection(iter(range(6)))


MADE: dict[str, tuple[Callable[[DataCollection], DataCollection], list[Any]]] = {
    "head": (lambda rows: rows.head(3), [0, 1, 2]),
    "mapped head": (lambda rows: rows.map(str).head(2), ["0", "1"]),
    "threads": (lambda rows: rows.set_parallel(2).map(str).head(2), ["0", "1"]),
    "batch": (lambda rows: rows.batch(4).unstream(), [[0, 1, 2, 3], [4, 5]]),
    "zip": (lambda rows: rows.zip(stream()).head(1), [(0, 0)]),
    "sum": (lambda rows: (rows + stream()).unstream(), [*range(6), *range(6)]),
    "one of two": (
        lambda rows: rows.map(str, float)[1].unstream(),
        [*map(float, range(6))],
    ),
    "of a list": (lambda rows: rows.unstream().batch(3), [[0, 1, 2], [3, 4, 5]]),
}


@pytest.mark.parametrize(("make", "rows"), MADE.values(), ids=MADE)
def test_rows_are_there_for_every_reader(
    make: Callable[[DataCollection], DataCollection], rows: list[Any]
) -> None:
    made = make(stream())
    assert not made.is_stream
    assert next(iter(made)) == rows[0]
    assert made.map(str).to_list() == list(map(str, rows))
    assert made.filter(lambda _: True).to_list() == made.to_list() == rows
    del made
    assert [each.name for each in threading.enumerate() if "towhee" in each.name] == []


def test_what_failed_fails_again_and_says_why() -> None:
    inverse = stream().head(2).map(lambda row: 1 / row)
    first = stream().map(lambda row: 1 / row).head(2)
    for rows in (inverse, inverse, first, first):
        with pytest.raises(OperatorFailed, match="division by zero"):
            rows.to_list()


def test_no_more_is_pulled_than_the_rows_need() -> None:
    numbers = iter(range(6))
    assert DataCollection(numbers).map(str).head(2).to_list() == ["0", "1"]
    assert next(numbers) == 2
