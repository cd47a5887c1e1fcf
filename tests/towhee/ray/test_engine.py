"""The same chains on a cluster of two nodes as here: rows, order and failures."""

from __future__ import annotations

import os
import sys
import threading
import time
from itertools import count, islice
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from processes import running_below

from towhee import DataCollection
from towhee.executors.portable import CannotSend
from towhee.executors.ray.stages import InvalidResources
from towhee.maybe import Some
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


def working() -> list[int]:
    """Workers that hold operators now."""
    family = running_below(os.getpid())
    return [each.pid for each, words in family.items() if "StageWorker" in words[0]]


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_an_operator_with_resources_of_its_own_has_workers_of_its_own(
    publish: Callable[..., Path],
) -> None:
    code = """
import os, ray

class Subject(Operator):
    def __call__(self, value):
        cpus = ray.get_runtime_context().get_assigned_resources()["CPU"]
        number = value[0] if isinstance(value, tuple) else value
        if number == 9:
            raise ValueError("nine")
        return number, os.getpid(), cpus
"""
    publish(code, name="test/first")
    publish(code.replace("== 9", "== 19"), name="test/second")
    chain = DataCollection(range(40)).filter(lambda number: number % 2)
    chain = chain.exception_safe().test.first().test.second()
    chain = chain.map(lambda made: (made[0], 1 / (made[0] - 29), *made[1:]))
    split = chain.set_engine(
        "ray",
        num_cpus=0.5,
        concurrency=1,
        resources={"test/second": {"num_cpus": 1}},
        block_size=8,
    )
    outcomes = list(split.stream().run())
    assert [outcome.row for outcome in outcomes] == list(range(1, 40, 2))
    assert [outcome.row for outcome in outcomes if outcome.error] == [9, 19, 29]
    assert {outcome.value[3] for outcome in outcomes if not outcome.error} == {1}
    rows = split.stream().to_list()
    assert [row.is_some() for row in rows] == [
        n not in {9, 19, 29} for n in range(1, 40, 2)
    ]
    assert str(rows[4].exception) == "nine"
    assert len(split.drop_empty().stream().to_list()) == 17


@pytest.mark.slow
def test_rows_come_as_they_are_done_if_their_order_does_not_matter() -> None:
    def work(number: int) -> int:
        time.sleep(0.5 if number < 8 else 0)
        return number

    chain = DataCollection(range(80)).map(work).stream()
    rows = chain.set_engine("ray", block_size=8, keep_order=False).to_list()
    assert sorted(rows) == list(range(80))
    assert rows != list(range(80))


@pytest.mark.slow
def test_a_bundled_operator_runs_where_it_was_never_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    grey = np.full((8, 8, 3), 128, np.uint8)
    file = tmp_path / "grey.png"
    Image.fromarray(grey).save(file)
    chain = DataCollection([str(file)]).image_decode.cv2().stream()
    (decoded,) = chain.set_engine("ray").to_list()
    np.testing.assert_array_equal(decoded, chain.to_list()[0])


@pytest.mark.slow
def test_what_the_cluster_has_no_room_for_is_refused() -> None:
    chain = DataCollection([1]).map(str).set_engine("ray", num_gpus=1).stream()
    with pytest.raises(InvalidResources) as caught:
        chain.to_list()
    assert str(caught.value) == "No node of this Ray cluster has num_cpus=1, num_gpus=1"


@pytest.mark.slow
def test_an_endless_source_is_read_as_far_as_its_rows_are_wanted_and_no_worker_stays() -> (
    None
):
    numbers = count()
    chain = DataCollection(numbers).map(str).set_engine("ray")
    rows = iter(chain)
    assert list(islice(rows, 100)) == [str(number) for number in range(100)]
    assert working()
    rows.close()
    assert next(numbers) < 100_000
    deadline = time.monotonic() + 20
    while working() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert working() == []


@pytest.mark.slow
def test_a_look_pulls_no_more_rows_than_it_shows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    numbers = count()
    chain = DataCollection(numbers).set_engine("ray", concurrency=1).map(str)
    assert chain.head(2).to_list() == ["0", "1"]
    assert next(numbers) == 2
    chain = DataCollection(numbers).set_engine("ray", concurrency=1).map(str)
    chain.show(2)
    assert capsys.readouterr().out.splitlines() == ["3", "4"]
    assert next(numbers) == 5


@pytest.mark.slow
def test_what_cannot_go_to_a_worker_is_named() -> None:
    lock = threading.Lock()
    chain = DataCollection([lock, 1]).set_engine("ray", concurrency=1)
    failed, good = chain.exception_safe().map(str).to_list()
    assert failed.error.operator == "map(str)"
    assert good == Some("1")
    with pytest.raises(CannotSend, match=r"^`map\(lock.acquire\)` cannot be sent to"):
        chain.map(str).map(lock.acquire).to_list()


@pytest.mark.slow
def test_a_value_that_cannot_travel_is_settled_like_any_failure() -> None:
    def untold(number: int) -> object:
        return threading.Lock() if number == 2 else number

    dropped: list[object] = []
    rows = DataCollection(range(4)).set_engine("ray", concurrency=1).exception_safe()
    chain = rows.map(untold)
    assert chain.fill_empty("F").to_list() == [0, 1, "F", 3]
    assert chain.drop_empty(dropped.append).to_list() == [0, 1, 3]
    assert len(dropped) == 1


@pytest.mark.slow
def test_a_run_whose_rows_come_out_of_another_does_not_wait_for_ever() -> None:
    pairs = (
        DataCollection(range(2000)).set_engine("ray", block_size=8).map(str).batch(2)
    )
    sizes = pairs.map(len).set_engine("ray", block_size=8).stream()
    assert sizes.to_list() == [2] * 1000
