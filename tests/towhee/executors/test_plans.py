"""Whatever the plan, the same results in the same order, and nothing left behind."""

from __future__ import annotations

import os
import threading
from itertools import count, islice
from typing import TYPE_CHECKING, get_args

import pytest

from towhee.executors.local import LocalExecutor
from towhee.executors.machine import available_processors
from towhee.executors.plan import Arrangement, InvalidPlan, Plan
from towhee.outcome import OperatorFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub_client.installed import InstalledOperator
    from towhee.bound import BoundPipeline

DECODE = """
class Subject(Operator):
    concurrent = True

    def __call__(self, value):
        if value % 10 == 7:
            raise ValueError("unlucky")
        return value * 2
"""
MODEL = """
import threading

class Subject(ModelOperator):
    concurrent_predict = True
    batch_size = 3
    threads = set()
    limits = []
    modes = []

    def settings(self):
        return {"mode": ("slow", "fast")}

    def configure(self, *, mode="slow"):
        self.modes.append(mode)

    def set_threads(self, count):
        self.limits.append((threading.current_thread().name, count))

    def prepare(self, value):
        return -value

    def predict(self, batch):
        self.threads.add(threading.current_thread().name)
        return [(len(batch), value) for value in batch]
"""
PLANS = [
    Plan(arrangement, batch_size=size, threads=threads, model_threads=1)
    for arrangement in get_args(Arrangement)
    for size in (1, 5)
    for threads in (1, 3)
]


@pytest.fixture
def chain(
    write_fresh: Callable[..., InstalledOperator],
    bound: Callable[..., BoundPipeline],
) -> BoundPipeline:
    return bound(write_fresh(DECODE), write_fresh(MODEL, name="test/model"))


def towhee_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("towhee")]


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_every_plan_gives_the_same_rows_and_failures_in_order(
    chain: BoundPipeline, plan: Plan
) -> None:
    outcomes = list(LocalExecutor(plan=plan).run(chain, range(33)))
    assert [outcome.row for outcome in outcomes] == list(range(33))
    assert [
        outcome.value[1] if outcome.error is None else str(outcome.error)  # type: ignore[index]
        for outcome in outcomes
    ] == [
        f"`test/subject` failed on row {row}, {row}: ValueError: unlucky"
        if row % 10 == 7
        else -2 * row
        for row in range(33)
    ]
    assert towhee_threads() == []


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_closing_early_leaves_no_thread_whatever_the_plan(
    chain: BoundPipeline, plan: Plan
) -> None:
    values = LocalExecutor(plan=plan).values(chain, count())
    assert [value for _, value in islice(values, 5)] == [0, -2, -4, -6, -8]  # type: ignore[misc]
    values.close()  # type: ignore[attr-defined]
    assert towhee_threads() == []


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_the_first_failure_raises_after_the_rows_before_it(
    chain: BoundPipeline, plan: Plan
) -> None:
    values = LocalExecutor(plan=plan).values(chain, range(20))
    assert len(list(islice(values, 7))) == 7
    with pytest.raises(OperatorFailed, match="row 7, 7: ValueError: unlucky"):
        next(values)
    assert towhee_threads() == []


def test_in_rows_each_thread_predicts_with_its_share_of_the_processors(
    chain: BoundPipeline,
) -> None:
    plan = Plan("rows", batch_size=2, threads=3, model_threads=1)
    list(LocalExecutor(plan=plan).run(chain, range(60)))
    model = chain.load()[1].operator.operator  # type: ignore[union-attr]
    assert model.threads <= {"towhee_0", "towhee_1", "towhee_2"}
    assert {limit for _, limit in model.limits} == {1}


def test_in_phases_the_callers_thread_predicts_as_the_backend_has_it(
    chain: BoundPipeline,
) -> None:
    plan = Plan("phases", threads=available_processors())
    list(LocalExecutor(plan=plan).run(chain, range(60)))
    model = chain.load()[1].operator.operator  # type: ignore[union-attr]
    assert model.threads == {threading.current_thread().name}
    assert model.limits == []


def test_fewer_workers_than_processors_limit_the_model_too(
    write_fresh: Callable[..., InstalledOperator],
    bound: Callable[..., BoundPipeline],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = MODEL.replace("concurrent_predict = True", "concurrent_predict = False")
    chain = bound(write_fresh(code))
    processors = set(range(4))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: processors, raising=False)
    list(LocalExecutor(2).run(chain, range(60)))
    model = chain.load()[0].operator.operator  # type: ignore[union-attr]
    assert model.limits == [(threading.current_thread().name, 2)]


def test_a_plan_configures_the_model_once(chain: BoundPipeline) -> None:
    plan = Plan(settings=(("mode", "fast"),))
    executor = LocalExecutor(plan=plan)
    list(executor.run(chain, range(60)))
    list(executor.run(chain, range(60)))
    assert chain.load()[1].operator.operator.modes == ["fast"]  # type: ignore[union-attr]


def test_a_model_is_not_configured_while_another_run_uses_it(
    chain: BoundPipeline,
) -> None:
    slow, fast = (
        LocalExecutor(plan=Plan(settings=(("mode", mode),))).run(chain, range(6))
        for mode in ("slow", "fast")
    )
    next(slow)
    assert len(list(fast)) == 6
    assert chain.load()[1].operator.operator.modes == ["slow"]  # type: ignore[union-attr]
    slow.close()  # type: ignore[attr-defined]


def test_a_plan_survives_being_written_down() -> None:
    plan = Plan("rows", 4, 2, 1, (("memory_format", "channels_last"),), "keep")
    assert Plan.from_dict(plan.to_dict()) == plan
    assert (
        str(plan)
        == "rows, 2 threads, batches of 4, 1 thread a model call, memory_format channels_last, memory kept"
    )


def test_what_is_no_plan_is_told() -> None:
    with pytest.raises(InvalidPlan) as caught:
        Plan("pipes", batch_size=0)  # type: ignore[arg-type]
    assert str(caught.value) == (
        "No run can be planned so: arrangement: expected one of 'rows', 'phases', "
        "'overlap', got 'pipes'; batch_size and threads: expected positive integers"
    )
    with pytest.raises(InvalidPlan, match=r"^Not a plan: \{'arrangement': 'rows'\}$"):
        Plan.from_dict({"arrangement": "rows"})
