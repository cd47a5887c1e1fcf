"""Processes that die, are stopped, or never had the operator."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import ray  # noqa: F401  (it brings psutil, and makes it importable)
from processes import running_below

from towhee import DataCollection
from towhee.executors.ray.flow import RayFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    import psutil
    from ray.cluster_utils import Cluster

pytestmark = [
    pytest.mark.slow,
    # Ray Data sets options that it has deprecated itself.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
]

WHO = """
import os, time

class Subject(Operator):
    def __call__(self, value):
        time.sleep(0.01)
        return value, os.getpid()
"""
INTERRUPTED = """
import time
from towhee import DataCollection, ray_start

def work(value):
    time.sleep(0.05)
    return value

ray_start(num_cpus=2)
for value in DataCollection.range(10**9).map(work).set_engine("ray"):
    if value == 0:
        print("working", flush=True)
"""


@pytest.mark.usefixtures("cluster")
def test_a_row_that_kills_its_workers_is_given_up_with_its_block(
    publish: Callable[..., Path],
) -> None:
    code = """
import os

class Subject(Operator):
    def __call__(self, value):
        if value == 9:
            os.abort()
        return value
"""
    publish(code, name="test/deadly")
    chain = DataCollection(range(16)).test.deadly().set_engine("ray", block_size=4)
    outcomes = list(chain.run())
    assert [outcome.row for outcome in outcomes if outcome.error] == [8, 9, 10, 11]
    assert len(outcomes) == 16


@pytest.mark.usefixtures("cluster")
def test_workers_that_never_start_end_the_run_with_the_reason(
    publish: Callable[..., Path],
) -> None:
    code = f"""
import os

if os.getpid() != {os.getpid()}:
    os.abort()

class Subject(Operator):
    def __call__(self, value):
        return value
"""
    publish(code, name="test/dead")
    chain = DataCollection(range(16)).test.dead().set_engine("ray")
    with pytest.raises(RayFailed, match="Ray cannot go on: The actor died") as caught:
        list(chain.run())
    assert caught.value.hint == "Look into Ray's logs for the reason"


def environment(folder: Path) -> dict[str, str]:
    """What a process needs that starts Ray with this process's engine."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "RAY_TMPDIR": str(folder),
        "TMPDIR": str(folder),
    }


@pytest.mark.usefixtures("cluster")
def test_a_worker_that_is_killed_loses_no_row_and_doubles_none(
    publish: Callable[..., Path],
) -> None:
    publish(WHO)
    rows = DataCollection(range(600)).test.subject()
    processes = check_after_kill(
        rows.set_engine("ray", block_size=8), lambda row: psutil_of(row[1])
    )
    assert len(processes) > 2


@pytest.mark.parametrize("victim", ["MapBatches", "ReadFeedSource"])
@pytest.mark.usefixtures("cluster")
def test_neither_does_what_ray_data_runs_where_stages_hand_rows_over(
    publish: Callable[..., Path], victim: str
) -> None:
    publish(WHO)
    publish(WHO.replace("value, os", "value[0], os"), name="test/second")
    rows = DataCollection(range(600)).test.subject().test.second()
    little = {"num_cpus": 0.5, "concurrency": 1}
    check_after_kill(
        rows.set_engine("ray", block_size=8, resources={"test/second": little}),
        lambda row: psutil_of(row[1]) if victim == "MapBatches" else named(victim),
    )


def check_after_kill(
    chain: DataCollection, victim: Callable[[Any], psutil.Process]
) -> set[int]:
    """Kill a process after the first row; the others' processes, if all is well."""
    stream = iter(chain.stream())
    results: list[Any] = [next(stream)]
    victim(results[0]).kill()
    results += stream
    assert [value for value, _ in results] == list(range(600))
    return {process for _, process in results}


def psutil_of(process: int) -> psutil.Process:
    import psutil  # noqa: PLC0415  (as above)

    return psutil.Process(process)


def named(name: str) -> psutil.Process:
    """One of Ray's processes."""
    family = running_below(os.getpid())
    return next(each for each, words in family.items() if name in words[0])


def test_ctrl_c_ends_a_run_at_once_and_leaves_no_process(ray_folder: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=environment(ray_folder),
    )
    assert child.stdout is not None
    assert child.stderr is not None
    assert child.stdout.readline() == "working\n", child.stderr.read()
    family = running_below(child.pid)
    assert any("StageWorker" in words[0] for words in family.values())
    start = time.monotonic()
    os.killpg(child.pid, signal.SIGINT)
    _, errors = child.communicate(timeout=30)
    assert time.monotonic() - start < 10
    assert errors.endswith("KeyboardInterrupt\n"), errors
    assert child.returncode != 0
    deadline = time.monotonic() + 10
    while any(each.is_running() for each in family) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [each for each in family if each.is_running()] == []


def test_a_node_without_the_operator_fetches_verifies_and_keeps_it_once(
    publish: Callable[..., Path], cluster: Cluster, ray_folder: Path
) -> None:
    code = WHO.replace("os.getpid()", "os.environ['HUB_CACHE_DIR']")
    tree = publish(code, name="test/fetched")
    chain = DataCollection.range(10**6).test.fetched().stream()
    chain = chain.set_engine("ray", block_size=4, num_cpus=0.5)
    nodes = {str(ray_folder / f"node-{number}") for number in range(2)}
    # A busy machine's second node begins seconds after its first.
    deadline = time.monotonic() + 60
    used = set[str]()
    for _, cache in chain:
        used.add(cache)
        if used >= nodes or time.monotonic() > deadline:
            break
    assert used == nodes
    for node in nodes:
        kept = list(Path(node, "store", "sha256").iterdir())
        assert any(
            (each / "operator.yaml").read_bytes().find(b"fetched") > 0 for each in kept
        )
    # What is kept serves the next run, when the source is gone.
    (tree / "subject" / "__init__.py").write_text("raise SystemExit")
    again = {cache for _, cache in islice(chain, 100)}
    assert again
    assert again <= nodes
