"""Batches form by themselves: of what is there, of what fits together, as memory allows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, get_args

import pytest

from towhee.executors.local import LocalExecutor
from towhee.executors.plan import Arrangement, Plan
from towhee.executors.run import BatchHalved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub_client.installed import InstalledOperator
    from towhee.bound import BoundPipeline

    Write = Callable[..., InstalledOperator]
    Bound = Callable[..., BoundPipeline]

RAGGED = """
class Subject(ModelOperator):
    batches = []

    def prepare(self, value):
        return value

    def batch_key(self, prepared):
        return prepared if prepared == [] else len(prepared)

    def predict(self, batch):
        self.batches.append(list(batch))
        assert len({len(text) for text in batch}) == 1
        return [text.upper() for text in batch]
"""
SMALL_MEMORY = """
class OutOfMemoryError(RuntimeError):
    pass

class Subject(ModelOperator):
    concurrent_predict = True
    batches = []

    def __init__(self, error="MemoryError"):
        self.error = {"MemoryError": MemoryError, "torch": OutOfMemoryError}[error]

    def prepare(self, value):
        return value

    def predict(self, batch):
        self.batches.append(len(batch))
        if sum(batch) > 5:
            raise self.error("no room")
        return batch
"""


def model_of(pipeline: BoundPipeline) -> Any:  # noqa: ANN401  (a subject's class)
    return pipeline.load()[-1].operator.operator  # type: ignore[union-attr]


def test_rows_share_a_batch_with_rows_of_their_key_and_keep_their_order(
    write_fresh: Write, bound: Bound
) -> None:
    texts = ["a", "bb", "c", "ddd", "ee", "f", "gg", "h"]
    chain = bound(write_fresh(RAGGED))
    plan = Plan("phases", batch_size=2)
    assert list(LocalExecutor(plan=plan).values(chain, texts)) == [
        text.upper() for text in texts
    ]
    assert model_of(chain).batches == [
        ["a", "c"], ["f", "h"], ["bb", "ee"], ["gg"], ["ddd"],
    ]  # fmt: skip


@pytest.mark.parametrize("arrangement", get_args(Arrangement))
def test_the_window_for_ragged_rows_is_bounded(
    write_fresh: Write, bound: Bound, arrangement: Arrangement
) -> None:
    pulled = 0

    def source() -> Iterator[str]:
        nonlocal pulled
        while True:
            pulled += 1
            yield "x" * (1 + pulled % 5)

    plan = Plan(arrangement, batch_size=4, threads=2)
    values = LocalExecutor(plan=plan).values(bound(write_fresh(RAGGED)), source())
    for taken, _ in zip(range(1, 300), values, strict=False):
        assert pulled <= taken + 8 * 4 * 5
    values.close()  # type: ignore[attr-defined]


def test_a_key_that_cannot_be_compared_fails_its_row(
    write_fresh: Write, bound: Bound
) -> None:
    (good, bad) = LocalExecutor().run(bound(write_fresh(RAGGED)), ["a", []])
    assert good.value == "A"
    assert (
        str(bad.error)
        == "`test/subject` failed on row 1, []: TypeError: unhashable type: 'list'"
    )


@pytest.mark.parametrize("error", ["MemoryError", "torch"])
def test_batches_that_do_not_fit_are_halved_for_the_rest_and_that_is_said_once(
    write_fresh: Write, bound: Bound, error: str
) -> None:
    operator = write_fresh(SMALL_MEMORY, parameters={"error": {}})
    chain = bound(operator, error=error)
    plan = Plan("phases", batch_size=16)
    with pytest.warns(BatchHalved) as warned:
        values = list(LocalExecutor(plan=plan).values(chain, [1] * 40))
    assert values == [1] * 40
    assert model_of(chain).batches == [16, 8, 4, 4, 8, *[4] * 8]
    assert [str(warning.message) for warning in warned] == [
        "`test/subject` ran out of memory with batches of 8: from here on batches have at most 4 rows"
    ]


def test_a_row_that_does_not_fit_alone_fails_and_the_others_go_on(
    write_fresh: Write, bound: Bound
) -> None:
    chain = bound(write_fresh(SMALL_MEMORY))
    outcomes = list(LocalExecutor(plan=Plan(batch_size=4)).run(chain, [1, 1, 9, 1, 1]))
    assert [outcome.value for outcome in outcomes] == [1, 1, None, 1, 1]
    assert (
        str(outcomes[2].error)
        == "`test/subject` failed on row 2, 9: MemoryError: no room"
    )


@pytest.mark.parametrize("heavy", [5, 9])
def test_after_heavy_rows_batches_are_as_large_as_before(
    write_fresh: Write, bound: Bound, heavy: int
) -> None:
    rows = [0] * 60
    rows[3] = rows[5] = rows[41] = heavy
    rows[40] = 1
    chain = bound(write_fresh(SMALL_MEMORY))
    plan = Plan("phases", batch_size=8)
    outcomes = list(LocalExecutor(plan=plan).run(chain, rows))
    lost = [outcome.row for outcome in outcomes if outcome.error]
    assert lost == ([3, 5, 41] if heavy == 9 else [])
    sizes = model_of(chain).batches
    assert sizes.count(8) == 7
    assert len(sizes) < 30


@pytest.mark.parametrize("arrangement", get_args(Arrangement))
def test_a_full_memory_loses_no_row_in_any_arrangement(
    write_fresh: Write, bound: Bound, arrangement: Arrangement
) -> None:
    chain = bound(write_fresh(SMALL_MEMORY))
    plan = Plan(arrangement, batch_size=16, threads=2)
    with pytest.warns(BatchHalved):
        values = list(LocalExecutor(plan=plan).values(chain, [1] * 100))
    assert values == [1] * 100


@pytest.mark.parametrize("arrangement", get_args(Arrangement))
def test_a_slow_source_is_not_waited_for(
    write_fresh: Write, bound: Bound, arrangement: Arrangement
) -> None:
    """A row every 60 ms: waiting for 32 of them would take two seconds."""

    def source() -> Iterator[str]:
        for _ in range(32):
            yield "x"
            time.sleep(0.06)

    start = time.monotonic()
    plan = Plan(arrangement, batch_size=32, threads=1)
    values = LocalExecutor(plan=plan).values(bound(write_fresh(RAGGED)), source())
    assert next(values) == "X"
    assert time.monotonic() - start < 1
    values.close()  # type: ignore[attr-defined]
