"""Runs that meet what users' programs do: nesting, forking, seeds, prints, two at once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
from itertools import islice
from typing import TYPE_CHECKING, get_args

import pytest
from bare_operators import environment

from towhee.executors.local import LocalExecutor
from towhee.executors.plan import Arrangement, Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from hub_client.installed import InstalledOperator
    from towhee.bound import BoundPipeline

    Write = Callable[..., InstalledOperator]
    Bound = Callable[..., BoundPipeline]

MODEL = """
import random, sys, time

class Subject(ModelOperator):
    concurrent_predict = True

    def __init__(self, inner=None):
        self.inner = inner

    def prepare(self, value):
        random.seed(0)
        print("preparing", value)
        return value if self.inner is None else sum(self.inner)

    def predict(self, batch):
        time.sleep(0.001)
        return [value + 1 for value in batch]
"""
arrangements = pytest.mark.parametrize("arrangement", get_args(Arrangement))


def executor(arrangement: Arrangement) -> LocalExecutor:
    return LocalExecutor(plan=Plan(arrangement, batch_size=3, threads=2))


def towhee_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("towhee")]


@arrangements
def test_two_runs_of_one_chain_may_be_read_in_turn(
    write_fresh: Write, bound: Bound, arrangement: Arrangement
) -> None:
    chain, engine = bound(write_fresh(MODEL)), executor(arrangement)
    one, other = (engine.values(chain, range(50)) for _ in range(2))
    assert list(zip(one, other, strict=True)) == [(n, n) for n in range(1, 51)]
    assert towhee_threads() == []


@arrangements
def test_several_threads_may_run_one_chain(
    write_fresh: Write, bound: Bound, arrangement: Arrangement
) -> None:
    chain, engine = bound(write_fresh(MODEL)), executor(arrangement)
    found: list[list[object]] = []
    threads = [
        threading.Thread(
            target=lambda: found.append([*engine.values(chain, range(50))])
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [list(range(1, 51))] * 4
    assert towhee_threads() == []


@arrangements
def test_a_chain_runs_inside_the_model_of_another(
    write_fresh: Write, bound: Bound, arrangement: Arrangement
) -> None:
    engine = executor(arrangement)
    inner_chain = bound(write_fresh(MODEL))

    class Rows:
        def __iter__(self) -> Iterator[Any]:
            return engine.values(inner_chain, range(4))

    outer = write_fresh(MODEL, name="test/outer", parameters={"inner": {}})
    values = engine.values(bound(outer, inner=Rows()), range(20))
    assert list(values) == [sum(range(1, 5)) + 1] * 20


def test_an_operators_prints_and_seeds_disturb_no_results(
    write_fresh: Write, bound: Bound, capsys: pytest.CaptureFixture[str]
) -> None:
    random.seed(5)
    chain = bound(write_fresh(MODEL))
    for arrangement in get_args(Arrangement):
        assert list(executor(arrangement).values(chain, range(9))) == [*range(1, 10)]
    assert len(capsys.readouterr().out.split()) == 2 * 3 * 9


@arrangements
def test_a_source_that_breaks_lets_nothing_hang_and_loses_no_row(
    write_fresh: Write, bound: Bound, arrangement: Arrangement
) -> None:
    def source() -> Iterator[int]:
        yield from range(20)
        raise ConnectionError("the line is dead")

    for engine in (executor(arrangement), LocalExecutor()):
        values = engine.values(bound(write_fresh(MODEL)), source())
        assert list(islice(values, 20)) == [*range(1, 21)]
        with pytest.raises(ConnectionError, match="the line is dead"):
            next(values)
        assert towhee_threads() == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@arrangements
def test_a_forked_process_runs_chains_of_its_own(
    write_fresh: Write, bound: Bound, arrangement: Arrangement
) -> None:
    chain, engine = bound(write_fresh(MODEL)), executor(arrangement)
    assert list(engine.values(chain, range(9))) == [*range(1, 10)]
    child = os.fork()
    if child == 0:
        done = list(engine.values(chain, range(9))) == [*range(1, 10)]
        os._exit(0 if done else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer's signal")
def test_runs_that_are_interrupted_anywhere_end_with_their_threads(
    tmp_path: Path,
) -> None:
    """A thousand times, at moments that nobody chose; a lock left behind would hang."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import faulthandler, itertools, random, signal, threading, time

            from bare_operators import bound
            from plugin_spec import Operator
            from towhee.executors.local import LocalExecutor

            class Quick(Operator):
                concurrent = True
                def __call__(self, value):
                    time.sleep(0.00002)
                    return value

            chain = bound(Quick())
            faulthandler.dump_traceback_later(60, exit=True)
            chance, interrupted, end = random.Random(1), 0, time.monotonic() + 4
            signal.signal(signal.SIGALRM, signal.default_int_handler)
            while time.monotonic() < end:
                try:
                    signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.0001, 0.005))
                    for value in LocalExecutor(2).values(chain, itertools.count()):
                        pass
                except KeyboardInterrupt:
                    interrupted += 1
            assert interrupted > 100, interrupted
            while threading.active_count() > 1 and time.monotonic() < end + 20:
                time.sleep(0.001)
            print([each.name for each in threading.enumerate()])
            """
        ),
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert (done.stderr, done.stdout) == ("", "['MainThread']\n")


def test_python_in_development_mode_has_nothing_to_say(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            from typing import get_args

            from bare_operators import loaded
            from plugin_spec import ModelOperator
            from towhee import DataCollection
            from towhee.executors.arrangements import arrange
            from towhee.executors.plan import Arrangement, Plan
            from towhee.executors.run import Run
            from towhee.executors.segments import Segment

            class Model(ModelOperator):
                concurrent_predict = True
                def prepare(self, value):
                    return value
                def predict(self, batch):
                    return batch

            segment = Segment((), loaded(Model()))
            for arrangement in get_args(Arrangement):
                plan = Plan(arrangement, batch_size=2, threads=2)
                rows = list(enumerate(range(9)))
                chunks = list(arrange(segment, plan, rows, Run()))
                assert [pair for chunk in chunks for pair in chunk] == rows
                early = arrange(segment, plan, rows, Run())
                next(early)
                early.close()

            for backend in ("thread", "process"):
                parallel = DataCollection(range(9)).set_parallel(2, backend=backend)
                assert parallel.map(abs).to_list() == list(range(9))
                stream = iter(parallel.stream().map(abs))
                next(stream)
                stream.close()
            """
        ),
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", script],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
