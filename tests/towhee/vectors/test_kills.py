"""Killed at any moment, a job goes on: nothing computed twice, nothing lost."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from installation import ROOT
from servers.milvus import MilvusServer
from vector_stores import CLASSES, Store, store_in

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 3000
JOB = """
import sys, time
sys.prefix = sys.argv[1]
from towhee import DataCollection

log = open(sys.argv[2], "a", buffering=1)

def embed(row):
    if row % 10 == 0:
        time.sleep(0.002)
    print(row, file=log)
    if row % 97 == 5:
        raise ValueError("a row that always fails")
    return [float(row), float(row % 7), 1.0]

def is_kept(row):
    return row % 11 != 3

chain = DataCollection.range(int(sys.argv[3])).exception_safe().filter(is_kept).map(embed)
getattr(chain, "to_" + sys.argv[4])(*sys.argv[5:], source="name", batch_size=40)
"""


def start(store: Store, environment: Path, log: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-W", "error", "-c", JOB, str(environment), str(log)]
    words += [str(ROWS), store.kind, *store.place.values()]
    return subprocess.Popen(words, cwd=ROOT)


def computed(log: Path) -> list[int]:
    text = log.read_text(encoding="utf-8") if log.exists() else ""
    # The last line may have been cut short by the kill.
    return [int(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"]


def committed(store: Store) -> int:
    note: Any = store.there("note")
    # A collection that was just made has an empty one.
    return int(note["row"]) if note else -1


def kill_on_the_way(store: Store, environment: Path, log: Path, after: int) -> None:
    """Let it compute some rows, and kill it wherever it is then."""
    before = len(computed(log))
    process = start(store, environment, log)
    while len(computed(log)) < before + after and process.poll() is None:
        time.sleep(0.001)
    time.sleep(random.uniform(0, 0.02))  # noqa: S311  (any moment)
    process.send_signal(signal.SIGKILL)
    process.wait()


def check_against_an_uninterrupted_run(
    store: Store, environment: Path, tmp_path: Path, kills: int
) -> None:
    log = tmp_path / "rows.log"
    where = -1
    for _ in range(kills):
        begun = len(computed(log))
        kill_on_the_way(store, environment, log, random.randrange(1, ROWS // kills))  # noqa: S311
        assert all(row > where for row in computed(log)[begun:])
        where = committed(store)
    begun = len(computed(log))
    assert start(store, environment, log).wait() == 0
    assert all(row > where for row in computed(log)[begun:])
    whole = Store(store.kind, str(tmp_path / "whole"))
    (tmp_path / "whole").mkdir()
    assert start(whole, environment, tmp_path / "whole.log").wait() == 0
    assert store.there("content", 3) == whole.there("content", 3)
    (note, expected) = (each.there("note") for each in (store, whole))
    assert json.dumps(note) == json.dumps(expected)


@pytest.mark.slow  # takes more than a second
def test_two_kills_do_not_show(environment: Path, tmp_path: Path) -> None:
    store = store_in(tmp_path, "faiss")
    check_against_an_uninterrupted_run(store, environment, tmp_path, kills=2)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", CLASSES)
def test_ten_kills_do_not_show(kind: str, environment: Path, tmp_path: Path) -> None:
    store = store_in(tmp_path, kind)
    check_against_an_uninterrupted_run(store, environment, tmp_path, kills=10)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_neither_do_those_of_a_job_that_fills_a_server_nor_the_servers_own(
    environment: Path, tmp_path: Path
) -> None:
    with MilvusServer(tmp_path / "served") as server:
        store = Store("milvus", str(tmp_path), server.address)
        job = start(store, environment, tmp_path / "rows.log")
        while len(computed(tmp_path / "rows.log")) < ROWS // 4 and job.poll() is None:
            time.sleep(0.001)
        server.kill()
        assert job.wait() == 1
        server.start()
        check_against_an_uninterrupted_run(store, environment, tmp_path, kills=5)
