"""Plans are found by measuring the job's own rows, and kept."""

from __future__ import annotations

import json
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, get_args

import pytest

from hub_client.config import HubConfig
from towhee.executors.choosing import Chooser
from towhee.executors.local import LocalExecutor
from towhee.executors.machine import accelerator_models
from towhee.executors.plan import Arrangement, Plan
from towhee.executors.plan_cache import PlanCache
from towhee.executors.run import Run
from towhee.executors.segments import Segment, parts
from towhee.executors.space import Space
from towhee.executors.tuning import Sample, Search, measure
from towhee.loaded_operator import LoadedOperator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hub_client.installed import InstalledOperator
    from towhee.bound import BoundPipeline

    Write = Callable[..., InstalledOperator]
    Bound = Callable[..., BoundPipeline]

# Batches of 16 are best; told to be quick, all take a quarter of the time.
MODEL = """
import threading, time

class Subject(ModelOperator):
    concurrent_predict = False
    computed = []
    speed = "slow"

    def __init__(self, batch_size=None):
        self.batch_size = batch_size or 8

    def settings(self):
        return {"speed": ("slow", "quick")}

    def configure(self, *, speed="slow"):
        self.speed = speed

    def prepare(self, value):
        return value

    def predict(self, batch):
        self.computed.extend(batch)
        seconds = 0.004 + 0.0000125 * len(batch) ** 2
        time.sleep(seconds if self.speed == "slow" else seconds / 4)
        return [value + 1 for value in batch]
"""


@pytest.fixture(autouse=True)
def tune(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_TUNE", "auto")


@pytest.fixture
def chain(write_fresh: Write, bound: Bound) -> BoundPipeline:
    return bound(write_fresh(MODEL, parameters={"batch_size": {}}))


def choice(chain: BoundPipeline, workers: int = 2) -> tuple[str, Plan]:
    (segment,) = parts(chain)
    assert isinstance(segment, Segment)
    found = Chooser(workers).preview(segment)
    return found.source, found.plan


def plan_files() -> list[Path]:
    return list((HubConfig.load().cache_dir / "plans").glob("*"))


def computed(chain: BoundPipeline) -> list[int]:
    found: list[int] = chain.load()[-1].operator.operator.computed  # type: ignore[union-attr]
    return found


def test_a_search_finds_the_fastest_plan_and_tries_few() -> None:
    """Plans get rates, as if they had been measured."""

    def rate(plan: Plan) -> float:
        found = 100.0 * {"rows": 1.5, "phases": 1.0, "overlap": 0.5}[plan.arrangement]
        found *= 1.3 if dict(plan.settings)["layout"] == "good" else 1.0
        found *= 1.2 if plan.allocator == "keep" else 1.0
        return found / (1 + abs(plan.batch_size - 2))

    space = Space(
        workers=2,
        batch_size=8,
        settings={"layout": ("plain", "good", "bad")},
        can_share=True,
        can_keep=True,
    )
    search, tried = Search(space), 0
    while search.candidate is not None:
        tried += 1
        search.note(rate(search.candidate))
    assert (
        str(search.best)
        == "rows, 2 threads, batches of 2, 1 thread a model call, layout good, memory kept"
    )
    assert tried < 25


def test_no_candidate_puts_more_threads_to_work_than_there_are_processors() -> None:
    for workers in (1, 2, 3, 8):
        space = Space(workers, 8, can_share=True)
        moved = [move(space.default) for move in space.arrangement_moves]
        at_work = {
            "rows": lambda plan: plan.threads * plan.model_threads,
            "phases": lambda plan: max(plan.threads, plan.model_threads or 0),
            "overlap": lambda plan: plan.threads + plan.model_threads,
        }
        for plan in (space.default, *moved):
            assert at_work[plan.arrangement](plan) == workers


def test_gains_that_are_small_at_each_step_are_found() -> None:
    """Plans get rates, as if they had been measured."""
    rates = {4: 100.0, 8: 102.5, 16: 105.0, 32: 104.0}
    search = Search(Space(2, 4, can_share=True))
    while search.candidate is not None:
        slower = search.candidate.arrangement != "rows"
        search.note(90.0 if slower else rates.get(search.candidate.batch_size, 80.0))
    assert search.best.batch_size == 16


def test_an_arrangement_that_is_third_with_small_batches_may_win_with_large_ones() -> (
    None
):
    """Plans get rates, as if they had been measured."""
    small = {"rows": 100.0, "overlap": 95.0, "phases": 85.0}
    search = Search(Space(2, 8, can_share=True))
    while search.candidate is not None:
        plan = search.candidate
        grown = 1.5 if (plan.arrangement, plan.batch_size) == ("phases", 32) else 1.0
        search.note(small[plan.arrangement] * grown)
    assert (search.best.arrangement, search.best.batch_size) == ("phases", 32)


def test_what_only_larger_batches_gain_by_is_found() -> None:
    """Plans get rates, as if they had been measured."""

    def rate(plan: Plan) -> float:
        found = {"rows": 100.0, "phases": 98.0, "overlap": 50.0}[plan.arrangement]
        if plan.arrangement == "phases" and plan.batch_size >= 32:
            found *= 1.3 if plan.allocator == "keep" else 0.9
        return found / (1 + plan.batch_size / 1000)

    search = Search(Space(2, 8, can_share=True, can_keep=True))
    while search.candidate is not None:
        search.note(rate(search.candidate))
    assert str(search.best) == "phases, 2 threads, batches of 32, memory kept"


def test_a_busy_moment_of_the_machine_decides_nothing() -> None:
    """Plans get rates, as if they had been measured."""
    search, seen = Search(Space(2, 8, can_share=True, can_keep=True)), list[Plan]()
    while search.candidate is not None:
        plan = search.candidate
        busy = 0.6 if plan in seen else 1.0
        seen.append(plan)
        best = plan.arrangement == "rows" and plan.batch_size == 8
        search.note(busy * (120.0 if best else 100.0))
    assert search.best.arrangement == "rows"
    assert search.best.batch_size == 8


def test_a_finalist_that_does_not_fit_any_more_is_not_chosen() -> None:
    """Plans get rates, as if they had been measured."""
    search, tried = Search(Space(2, 4, can_share=True)), list[Plan]()
    while search.candidate is not None:
        plan = search.candidate
        fits = plan.batch_size == 4 or plan not in tried
        rate = {4: 100.0, 8: 120.0}.get(plan.batch_size, 80.0)
        tried.append(plan)
        search.note(rate / 2 if plan.arrangement != "rows" else rate * fits)
    assert search.best.batch_size == 4


def test_a_search_ends_where_jobs_are_too_short_for_some_plans(
    chain: BoundPipeline,
) -> None:
    for _ in range(60):
        assert len(list(LocalExecutor(2).values(chain, range(20)))) == 20
    ((source, plan), (file,)) = choice(chain), plan_files()
    assert source == "measured"
    assert plan.batch_size <= 8  # of larger ones these jobs cannot show anything
    assert file.exists()


def test_the_first_rows_of_a_job_show_the_fastest_plan(chain: BoundPipeline) -> None:
    rows = range(8000)
    assert list(LocalExecutor(2).values(chain, rows)) == [row + 1 for row in rows]
    # Nothing was computed twice.
    assert sorted(computed(chain)) == list(rows)
    source, plan = choice(chain)
    assert source == "measured"
    assert dict(plan.settings) == {"speed": "quick"}
    assert [t for t in threading.enumerate() if t.name.startswith("towhee")] == []


def test_ragged_rows_are_measured_with_a_window_for_each_thread() -> None:
    rows = Plan("rows", batch_size=4, threads=2, model_threads=1)
    assert Space(2, 8).warm_up(rows) == 8
    assert Space(2, 8, is_ragged=True).warm_up(rows) == 64


# A row takes 5 ms to prepare, so that no more than 200 a second can be.
SLOW_TO_PREPARE = """
import time

class Subject(ModelOperator):
    def prepare(self, value):
        time.sleep(0.005)
        return value

    def predict(self, batch):
        time.sleep(0.005)
        return batch
"""


@pytest.mark.parametrize("arrangement", get_args(Arrangement))
def test_no_rate_is_seen_that_a_long_job_would_not_have(
    write_fresh: Write, bound: Bound, arrangement: Arrangement
) -> None:
    chain = bound(write_fresh(SLOW_TO_PREPARE))
    plan = Plan(arrangement, batch_size=8, threads=1, model_threads=1)
    space = Space(1, 8)
    sample = Sample(space.warm_up(plan), space.turn(plan), 1, space.under_way(plan))
    (segment,) = parts(chain)
    assert isinstance(segment, Segment)
    rows = list(enumerate(range(sample.rows)))
    results, rate = measure(segment, plan, rows, Run(), sample)
    assert results == rows
    assert rate is not None
    # A busy machine may look at its clock late, by a tenth of what a sample takes.
    assert 0 < rate <= 220


def test_a_search_goes_on_in_the_next_run_of_a_short_job(chain: BoundPipeline) -> None:
    executor, runs = LocalExecutor(2), 0
    while choice(chain)[0] != "measured":
        # On a busy machine large batches are tried, too, and have to fit into a run.
        assert list(executor.values(chain, range(400))) == list(range(1, 401))
        runs += 1
        assert runs < 40
    assert runs > 1


def test_what_was_found_is_kept_for_the_next_process(
    chain: BoundPipeline, bound: Bound, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(LocalExecutor(2).values(chain, range(8000)))
    _, found = choice(chain)
    (file,) = plan_files()
    document = json.loads(file.read_text())
    assert document["segment"] == "test/subject"
    assert Plan.from_dict(document["plan"]) == found

    # Another instance, as in another process.
    (bound_operator,) = chain.steps
    again = bound(bound_operator.installed)  # type: ignore[union-attr]
    again.steps[0]._loaded.append(_copy(chain))  # type: ignore[union-attr]
    assert choice(again) == ("cached", found)
    # Other options or another machine are another matter.
    assert choice(again, workers=4)[0] == "default"
    cuda = SimpleNamespace(
        is_initialized=lambda: True,
        device_count=lambda: 2,
        get_device_name="GPU {}".format,
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert accelerator_models() == ["GPU 0", "GPU 1"]
    assert choice(again)[0] == "default"


def _copy(chain: BoundPipeline) -> LoadedOperator:
    loaded = chain.load()[0].operator  # type: ignore[union-attr]
    return LoadedOperator(loaded.manifest, type(loaded.operator)())


def test_a_damaged_file_is_as_none(chain: BoundPipeline) -> None:
    list(LocalExecutor(2).values(chain, range(8000)))
    (file,) = plan_files()
    assert PlanCache(file.parent).read(file.stem) is not None
    for damage in ("", "[]", "{", '{"plan": {"arrangement": "rows"}}'):
        file.write_text(damage)
        assert PlanCache(file.parent).read(file.stem) is None, damage


def test_nothing_is_measured_where_it_is_switched_off(
    chain: BoundPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_TUNE", "never")
    list(LocalExecutor(2).values(chain, range(1000)))
    assert choice(chain)[0] == "default"
    assert plan_files() == []


def test_a_batch_size_that_was_asked_for_stays(
    write_fresh: Write, bound: Bound
) -> None:
    operator = write_fresh(MODEL, parameters={"batch_size": {}})
    chain = bound(operator, batch_size=5)
    list(LocalExecutor(2).values(chain, range(4000)))
    source, plan = choice(chain)
    assert (source, plan.batch_size) == ("measured", 5)


def test_options_that_are_objects_are_never_kept(
    write_fresh: Write, bound: Bound
) -> None:
    code = MODEL.replace("batch_size=None", "batch_size=None, thing=None")
    chain = bound(write_fresh(code, parameters={"thing": {}}), thing=object())
    list(LocalExecutor(2).values(chain, range(300)))
    assert choice(chain)[0] == "default"
    assert plan_files() == []


def test_a_run_beside_another_does_not_measure(chain: BoundPipeline) -> None:
    executor = LocalExecutor(2)
    first = executor.values(chain, range(2000))
    next(first)
    assert len(list(executor.values(chain, range(1000)))) == 1000
    assert choice(chain)[0] != "measured"
    first.close()  # type: ignore[attr-defined]
