"""What a run did, stage by stage; and how the next one would go."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from towhee.executors.local import LocalExecutor
from towhee.executors.plan import Plan
from towhee.executors.recorder import Recorder
from towhee.pipelines import FunctionCall, Parallel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hub_client.installed import InstalledOperator
    from towhee.bound import BoundPipeline

DECODE = """
import time

class Subject(Operator):
    concurrent = True

    def __call__(self, value):
        time.sleep(0.001)
        return value
"""
MODEL = """
import time

class Subject(ModelOperator):
    concurrent_predict = True

    def prepare(self, value):
        return [value]

    def predict(self, batch):
        time.sleep(0.01)
        return batch
"""


def is_even(number: int) -> bool:
    return number % 2 == 0


def slowly(number: int) -> int:
    time.sleep(0.001)
    return number


@pytest.fixture
def chain(
    write_fresh: Callable[..., InstalledOperator], bound: Callable[..., BoundPipeline]
) -> BoundPipeline:
    return bound(
        FunctionCall("filter", is_even),
        FunctionCall("map", slowly),
        write_fresh(DECODE, name="test/decode"),
        write_fresh(MODEL, name="test/model"),
        FunctionCall("map", len),
    )


@pytest.mark.parametrize("arrangement", ["rows", "phases", "overlap"])
def test_a_profile_tells_each_stage_apart(
    chain: BoundPipeline, arrangement: str
) -> None:
    recorder = Recorder()
    plan = Plan(arrangement, batch_size=4, threads=2)  # type: ignore[arg-type]
    executor = LocalExecutor(plan=plan, recorder=recorder)
    assert list(executor.values(chain, range(40))) == [1] * 20
    stages = {stage.stage: stage for stage in recorder.profile.stages}
    assert [(name, stage.rows) for name, stage in stages.items()] == [
        ("source", 40),
        ("filter(is_even).map(slowly)", 20),
        ("test/decode", 20),
        ("test/model prepare", 20),
        ("test/model predict", 20),
        ("map(len)", 20),
    ]
    assert stages["test/model predict"].batches == (4,) * 5
    assert stages["filter(is_even).map(slowly)"].seconds >= 0.02
    assert stages["test/decode"].seconds >= 0.02
    assert stages["test/model predict"].seconds >= 0.05
    assert stages["source"].seconds < stages["filter(is_even).map(slowly)"].seconds
    assert stages["map(len)"].seconds < stages["test/model predict"].seconds
    assert stages["test/model predict"].waited > 0


def test_a_profile_is_a_table_and_a_trace(chain: BoundPipeline, tmp_path: Path) -> None:
    recorder = Recorder()
    plan = Plan("rows", batch_size=5, threads=2)
    list(LocalExecutor(plan=plan, recorder=recorder).values(chain, range(40)))
    header, *lines = str(recorder.profile).splitlines()
    assert header.split("  ") != []
    assert [line.split("  ")[0] for line in lines] == [
        stage.stage for stage in recorder.profile.stages
    ]
    recorder.profile.to_chrome_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    calls = [event for event in events if event["ph"] == "X"]
    assert {call["name"] for call in calls} == {
        "test/decode",
        "test/model prepare",
        "test/model predict",
    }
    assert all(call["ts"] >= 0 and call["dur"] >= 0 for call in calls)
    assert {event["args"]["name"] for event in events if event["ph"] == "M"} == {
        "towhee_0",
        "towhee_1",
    }


def test_a_chain_of_functions_is_profiled_too(
    bound: Callable[..., BoundPipeline],
) -> None:
    recorder = Recorder()
    pipeline = bound(FunctionCall("map", slowly))
    executor = LocalExecutor(recorder=recorder)
    assert list(executor.values(pipeline, range(5))) == [0, 1, 2, 3, 4]
    assert [(s.stage, s.rows) for s in recorder.profile.stages] == [
        ("source", 5),
        ("map(slowly)", 5),
    ]


def test_an_explanation_says_how_and_why(
    chain: BoundPipeline,
    bound: Callable[..., BoundPipeline],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert str(LocalExecutor().explain(chain)) == (
        "1. filter(is_even).map(slowly)\n"
        "   one loop, in the caller's thread\n"
        "2. test/decode → test/model\n"
        "   rows, 2 threads, batches of 4, 1 thread a model call "
        "(by default, nothing was measured yet)\n"
        "3. map(len)\n"
        "   one loop, in the caller's thread"
    )
    plan = Plan("rows", batch_size=1, threads=2, model_threads=1)
    assert str(LocalExecutor(plan=plan).explain(chain).stages[1]) == (
        "test/decode → test/model\n"
        "   rows, 2 threads, batches of 1, 1 thread a model call (as you asked)"
    )
    parallel = FunctionCall("map", len, None, Parallel(3, "process"))
    assert (
        str(LocalExecutor().explain(bound(parallel)))
        == "1. map(len)\n   3 processes, in chunks"
    )


def test_an_explanation_tells_that_measuring_has_begun(
    chain: BoundPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_TUNE", "auto")
    executor = LocalExecutor(2)
    assert executor.explain(chain).stages[1].source == "default"
    list(executor.values(chain, range(100)))
    assert executor.explain(chain).stages[1].source == "measuring"
