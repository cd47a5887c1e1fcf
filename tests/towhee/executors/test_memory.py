"""Memory is bounded, and nothing is left behind, however much flows through."""

from __future__ import annotations

import gc
import os
import threading
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from towhee.executors.local import LocalExecutor
from towhee.executors.plan import Arrangement, Plan
from towhee.pipelines import FunctionCall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub_client.installed import InstalledOperator
    from towhee.bound import BoundPipeline

LENGTH = """
class Subject(Operator):
    concurrent = True

    def __call__(self, name):
        return len(name)
"""
MODEL = """
class Subject(ModelOperator):
    concurrent_predict = True

    def prepare(self, value):
        return bytes(10_000)

    def predict(self, batch):
        return [len(each) for each in batch]
"""


def names(count: int) -> Iterator[str]:
    return (f"/photographs/{number:08}.jpg" for number in range(count))


def test_a_million_file_names_stream_in_constant_memory(
    write_fresh: Callable[..., InstalledOperator], bound: Callable[..., BoundPipeline]
) -> None:
    chain = bound(
        FunctionCall("filter", str.isascii),
        write_fresh(LENGTH),
        FunctionCall("map", float),
    )
    values = LocalExecutor(2).values(chain, names(1_000_000))
    total, peaks = 0.0, []
    for number, value in enumerate(values):
        total += value  # type: ignore[operator]
        if number == 100_000:
            tracemalloc.start()
        # Tracing every row would take a minute: two windows show a trend as well.
        if number in {110_000, 910_000}:
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        if number == 900_000:
            tracemalloc.start()
    assert total == 1_000_000 * len("/photographs/00000000.jpg")
    assert peaks[1] < 2 * peaks[0] + 1_000_000
    assert max(peaks) < 20_000_000


@pytest.mark.parametrize("arrangement", get_args(Arrangement))
def test_prepared_rows_do_not_pile_up_before_a_model(
    write_fresh: Callable[..., InstalledOperator],
    bound: Callable[..., BoundPipeline],
    arrangement: Arrangement,
) -> None:
    """Ten thousand prepared rows would take 100 MB."""
    plan = Plan(arrangement, batch_size=8, threads=2)
    chain = bound(write_fresh(MODEL))
    tracemalloc.start()
    for value in LocalExecutor(plan=plan).values(chain, names(10_000)):
        assert value == 10_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.slow
@pytest.mark.parametrize("arrangement", get_args(Arrangement))
def test_many_short_chains_leak_no_thread_file_or_memory(
    write_fresh: Callable[..., InstalledOperator],
    bound: Callable[..., BoundPipeline],
    arrangement: Arrangement,
) -> None:
    chain = bound(write_fresh(LENGTH), write_fresh(MODEL, name="test/model"))
    executor = LocalExecutor(plan=Plan(arrangement, batch_size=2, threads=2))

    def run(count: int) -> tuple[int, int, int]:
        for _ in range(count):
            assert next(executor.values(chain, ["a", "b", "c"])) == 10_000
        gc.collect()
        files = len(list(Path("/proc/self/fd").iterdir())) if os.name == "posix" else 0
        return threading.active_count(), files, tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    run(50)
    before = run(50)
    after = run(200)
    tracemalloc.stop()
    assert after[:2] == before[:2]
    assert after[2] < before[2] + 20_000


@pytest.mark.slow  # takes more than a second
def test_ten_thousand_short_chains_of_functions_leak_nothing(
    bound: Callable[..., BoundPipeline],
) -> None:
    def run(count: int) -> int:
        for _ in range(count):
            chain = bound(FunctionCall("map", str), FunctionCall("filter", len))
            assert list(LocalExecutor().values(chain, [1])) == ["1"]
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    run(1000)
    before = run(1000)
    assert run(10_000) < before + 20_000
    tracemalloc.stop()
