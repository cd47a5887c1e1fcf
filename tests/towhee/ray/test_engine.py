"""The same chains on a cluster of two nodes as here: rows, order and failures."""

from __future__ import annotations

from itertools import count, islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

from towhee import DataCollection
from towhee.outcome import OperatorFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [
    pytest.mark.usefixtures("cluster"),
    # Ray Data sets options that it has deprecated itself.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
]

MODEL = """
import numpy as np

class TooLarge(Exception):
    def __init__(self, *, size):
        super().__init__(f"{size} is too large")

class Subject(ModelOperator):
    batch_size = 8

    def prepare(self, value):
        if value == 70:
            raise TooLarge(size=value)
        return np.full(16, value, np.float32)

    def predict(self, batch):
        rows = np.stack(batch)
        return list(rows @ np.random.default_rng(0).random((16, 4), np.float32))
"""


def test_rows_are_those_of_the_local_engine_bit_for_bit(
    publish: Callable[..., Path],
) -> None:
    publish(MODEL)
    chain = (
        DataCollection(range(100))
        .map(lambda number: 2 * number + 1)
        .filter(lambda number: number % 3)
        .test.subject()
        .map(lambda vector: (vector, float(vector.sum())))
        .stream()
    )
    local = chain.to_list()
    on_ray = chain.set_engine("ray").to_list()
    assert [total for _, total in on_ray] == [total for _, total in local]
    for (ours, _), (theirs, _) in zip(on_ray, local, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_row_that_fails_is_named_and_the_others_go_on(
    publish: Callable[..., Path],
) -> None:
    publish(MODEL)
    chain = DataCollection(range(90)).filter(lambda number: number % 2 == 0)
    chain = chain.test.subject().set_engine("ray")
    outcomes = list(chain.run())
    assert [outcome.row for outcome in outcomes] == list(range(0, 90, 2))
    (failed,) = (outcome.error for outcome in outcomes if outcome.error)
    assert (
        str(failed) == "`test/subject` failed on row 70, 70: TooLarge: 70 is too large"
    )
    assert (failed.operator, failed.row, failed.input) == ("test/subject", 70, 70)
    assert "In a worker:" in failed.__cause__.__notes__[0]
    with pytest.raises(OperatorFailed, match="failed on row 70, 70: TooLarge"):
        chain.stream().to_list()


def test_an_endless_source_is_read_as_far_as_its_rows_are_wanted() -> None:
    numbers = count()
    chain = DataCollection(numbers).map(str).set_engine("ray")
    rows = iter(chain)
    assert list(islice(rows, 100)) == [str(number) for number in range(100)]
    rows.close()
    assert next(numbers) < 100_000
