"""Functions in several threads or processes: order, failures, bounds, and an end."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from itertools import count, islice
from typing import TYPE_CHECKING

import pytest

from towhee import DataCollection
from towhee.bound import BoundPipeline
from towhee.executors.local import LocalExecutor
from towhee.executors.parallel import ChunkSize
from towhee.executors.portable import CannotSend
from towhee.executors.processes import WorkerDied
from towhee.outcome import OperatorFailed
from towhee.pipelines import FunctionCall, Parallel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any, Literal

    from hub_client.installed import InstalledOperator

    Backend = Literal["thread", "process"]

BACKENDS = ["thread", "process"]
both = pytest.mark.parametrize("backend", BACKENDS)


def chain(backend: Backend, *calls: tuple[Any, Callable[..., Any]]) -> BoundPipeline:
    parallel = Parallel(2, backend)
    return BoundPipeline(
        tuple((FunctionCall(kind, each, None, parallel),) for kind, each in calls)
    )


def children() -> list[str]:
    found = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "pid,args", "--no-headers"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    return [line for line in found if "towhee" in line]


@both
def test_order_filters_and_several_results_a_row_survive(backend: Backend) -> None:
    bound = chain(
        backend,
        ("map", abs),
        ("filter", math.sqrt),
        ("flat_map", range),
        ("map", math.factorial),
    )
    rows = [*range(-5, 6)] * 300
    assert list(LocalExecutor().values(bound, rows)) == [
        math.factorial(each) for row in rows for each in range(abs(row))
    ]


@both
def test_a_failure_takes_its_rows_place_and_says_why(backend: Backend) -> None:
    bound = chain(backend, ("map", math.sqrt), ("map", int))
    good, bad, last = LocalExecutor().run(bound, [4, -1, 9], start=7)
    assert (good.value, last.value, last.row) == (2, 3, 9)
    assert (
        str(bad.error)
        == "`map(sqrt)` failed on row 8, -1: ValueError: math domain error"
    )
    assert bad.error is not None
    assert isinstance(bad.error.__cause__, ValueError)


@both
def test_values_stop_at_the_first_failure(backend: Backend) -> None:
    values = LocalExecutor().values(chain(backend, ("map", math.sqrt)), [4, -1, 9])
    assert next(values) == 2
    with pytest.raises(OperatorFailed, match="row 1, -1: ValueError"):
        next(values)
    assert children() == []
    assert [t for t in threading.enumerate() if t.name.startswith("towhee")] == []


@pytest.mark.skipif(os.name != "posix", reason="processes have no groups")
def test_head_keeps_its_processes_until_it_has_its_rows() -> None:
    pulled = count()
    rows = DataCollection([0] for _ in pulled).flatten().set_parallel(2, "process")
    # Each process of ours is in a group of its own; a block is a row here.
    groups = rows.map(os.getpgid).head(6).to_list()
    assert len(groups) == 6
    assert len(set(groups)) <= 2
    assert next(pulled) == 6
    assert children() == []
    assert [t for t in threading.enumerate() if t.name.startswith("towhee")] == []


@both
def test_what_a_source_raises_comes_after_its_rows(backend: Backend) -> None:
    def source() -> Iterator[int]:
        yield from range(7)
        raise LookupError

    values = LocalExecutor().values(chain(backend, ("map", float)), source())
    assert list(islice(values, 7)) == [float(n) for n in range(7)]
    with pytest.raises(LookupError):
        next(values)
    assert children() == []


@both
def test_the_source_is_read_a_bounded_number_ahead_and_closing_ends_all(
    backend: Backend,
) -> None:
    source = count(1)
    values = LocalExecutor().values(chain(backend, ("map", float)), source)
    assert list(islice(values, 20_000)) == [float(n) for n in range(1, 20_001)]
    assert next(source) <= 20_000 + 6 * 16384
    values.close()  # type: ignore[attr-defined]
    assert children() == []
    assert [t for t in threading.enumerate() if t.name.startswith("towhee")] == []


def test_closing_does_not_wait_for_a_process() -> None:
    values = LocalExecutor().values(
        chain("process", ("map", time.sleep)), iter([0, 0, 600, 600])
    )
    assert next(values) is None
    start = time.monotonic()
    values.close()  # type: ignore[attr-defined]
    assert time.monotonic() - start < 5
    assert children() == []


def test_a_function_that_cannot_be_pickled_goes_all_the_same() -> None:
    bonus = 10
    bound = chain("process", ("map", lambda number: number + bonus))
    assert list(LocalExecutor().values(bound, range(3))) == [10, 11, 12]


def test_without_cloudpickle_such_a_function_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    bound = chain("process", ("map", float), ("map", lambda number: number))
    with pytest.raises(CannotSend) as caught:
        list(LocalExecutor().values(bound, range(3)))
    assert str(caught.value).startswith(
        "`map(<lambda>)` cannot be sent to another process: "
    )
    assert (
        caught.value.hint
        == "Define the function with `def` in a module, or install `cloudpickle`, or use `backend='thread'`"
    )


def test_a_value_that_cannot_travel_fails_its_row_on_either_way() -> None:
    going = chain("process", ("map", str))
    outcomes = list(LocalExecutor().run(going, [1, threading.Lock(), 3]))
    assert [outcome.value for outcome in outcomes] == ["1", None, "3"]
    assert str(outcomes[1].error) == (
        f"`map(str)` failed on row 1, {outcomes[1].error.input!r}: "  # type: ignore[union-attr]
        "it cannot go to another process: TypeError: cannot pickle '_thread.lock' object"
    )
    coming = chain("process", ("map", memoryview))
    (outcome,) = LocalExecutor().run(coming, [b"bytes"])
    assert (
        str(outcome.error)
        == "`map(memoryview)` failed on row 0, 5 bytes: it cannot go to another process: TypeError: cannot pickle memoryview objects"
    )


class Unreadable(Exception):
    """Can be written, and not be read: its constructor wants more."""

    def __init__(self, number: int, more: int) -> None:
        super().__init__(number)
        self.more = more


class Touchy:
    """Cannot be read either, once it is made."""

    def __setstate__(self, state: object) -> None:
        raise OSError("it is touchy")


def unreadable_from_three(number: int) -> object:
    touchy = Touchy()
    touchy.number = number  # type: ignore[attr-defined]  # a state
    return {3: Unreadable(3, 1), 4: [{"a": touchy}, touchy]}.get(number, number)


def test_a_value_that_cannot_be_read_fails_its_row_on_either_way() -> None:
    coming = chain("process", ("map", unreadable_from_three))
    outcomes = list(LocalExecutor().run(coming, range(6)))
    assert [outcome.value for outcome in outcomes] == [0, 1, 2, None, None, 5]
    assert str(outcomes[3].error) == (
        "`map(unreadable_from_three)` failed on row 3, <Unreadable>: it cannot be read "
        "in another process: TypeError: Unreadable.__init__() missing 1 required "
        "positional argument: 'more'"
    )
    assert outcomes[3].error.hint == "Make plain values of it first, with `map`"
    assert str(outcomes[4].error) == (
        "`map(unreadable_from_three)` failed on row 4, [{'a': <Touchy>}, <Touchy>]: "
        "it cannot be read in another process: OSError: it is touchy"
    )
    going = chain("process", ("map", str))
    rows = [1, unreadable_from_three(3), unreadable_from_three(4), 4]
    outcomes = list(LocalExecutor().run(going, rows))
    assert [outcome.value for outcome in outcomes] == ["1", None, None, "4"]
    assert str(outcomes[1].error).startswith("`map(str)` failed on row 1, <Unreadable>")


OWN_CLASS = """
class Found:
    def __init__(self, number):
        self.number = number

    def __str__(self):
        return f"found {self.number}"

class Subject(Operator):
    def __call__(self, number):
        return Found(number)
"""


def test_values_of_an_operators_own_class_go_to_a_process(
    write_fresh: Callable[..., InstalledOperator], bound: Callable[..., BoundPipeline]
) -> None:
    installed = write_fresh(OWN_CLASS)
    words = FunctionCall("map", str, None, Parallel(2, "process"))
    found = list(LocalExecutor().values(bound(installed, words), range(3)))
    assert found == ["found 0", "found 1", "found 2"]
    # Nothing of a tree that was changed runs there either.
    (installed.tree / "subject" / "__init__.py").write_text("raise SystemExit")
    with pytest.raises(OperatorFailed, match="DigestMismatch"):
        list(LocalExecutor().values(bound(installed, words), range(3)))


def test_a_process_that_dies_is_told_with_its_rows() -> None:
    with pytest.raises(WorkerDied) as caught:
        list(LocalExecutor().values(chain("process", ("map", os._exit)), [7, 8, 9]))
    assert (
        str(caught.value)
        == "A process that ran `map(_exit)` on rows 0 to 0 ended with status 7"
    )
    assert children() == []


def test_a_function_that_exits_is_told() -> None:
    with pytest.raises(CannotSend, match=r"^`map\(exit\)` stopped another process: "):
        list(LocalExecutor().values(chain("process", ("map", sys.exit)), [1]))


def test_what_functions_print_is_no_answer(capfd: pytest.CaptureFixture[str]) -> None:
    bound = chain("process", ("map", print))
    assert list(LocalExecutor().values(bound, ["one"])) == [None]
    assert capfd.readouterr() == ("", "one\n")


SCRIPT = """
import sys, threading
from dataclasses import dataclass
from towhee import DataCollection

@dataclass
class Row:
    number: int

def double(row):
    assert isinstance(row, Row)
    return Row(2 * row.number)

{guard}
    rows = DataCollection([Row(1), Row(2)]).set_parallel(2, backend="process")
    rows = rows.map(double).to_list()
    assert all(isinstance(row, Row) for row in rows)
    print(rows)
"""


def run_script(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "script.py"
    script.write_text(text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False
    )


def test_a_scripts_own_functions_and_classes_travel(tmp_path: Path) -> None:
    done = run_script(tmp_path, SCRIPT.format(guard='if __name__ == "__main__":'))
    assert (done.stdout, done.returncode) == ("[Row(number=2), Row(number=4)]\n", 0)


def test_a_chain_in_a_process_of_multiprocessing_may_have_processes_too(
    tmp_path: Path,
) -> None:
    text = """
from multiprocessing import get_context
from towhee import DataCollection

def double(number):
    return 2 * number

def doubled(number):
    rows = DataCollection([number]).set_parallel(2, backend="process")
    return rows.map(double).to_list()

if __name__ == "__main__":
    with get_context("spawn").Pool(1) as pool:
        print(pool.map(doubled, [1, 2]))
"""
    done = run_script(tmp_path, text)
    assert (done.stdout, done.stderr) == ("[[2], [4]]\n", "")


def test_a_script_without_a_guard_is_told_to_have_one(tmp_path: Path) -> None:
    done = run_script(tmp_path, SCRIPT.format(guard="if True:"))
    assert done.returncode == 1
    assert "This script starts processes while they import it" in done.stderr


def test_functions_typed_into_an_interpreter_travel(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-"],
        input="""
from towhee import DataCollection

def double(number):
    return 2 * number

print(DataCollection([1, 2]).set_parallel(2, backend="process").map(double).to_list())
""",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[2, 4]\n", "")


def test_ctrl_c_ends_processes_that_are_in_the_middle_of_something(
    tmp_path: Path,
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import itertools, os, time
            from towhee import DataCollection

            def sleep(seconds):
                os.write(2, b"begun\\n")
                time.sleep(seconds)

            if __name__ == "__main__":
                rows = DataCollection(itertools.repeat(600))
                try:
                    for row in rows.set_parallel(2, backend="process").map(sleep):
                        pass
                except KeyboardInterrupt:
                    print("ended")
            """
        ),
        encoding="utf-8",
    )
    with subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        assert [process.stderr.readline() for _ in range(2)] == ["begun\n"] * 2
        os.killpg(process.pid, signal.SIGINT)
        # Reading ends when the last that could write is gone.
        out, err = process.communicate(timeout=20)
    assert (out, err, process.returncode) == ("ended\n", "", 0)


def test_chunks_take_long_enough_and_not_longer() -> None:
    size = ChunkSize()
    for _ in range(10):
        size.learn(size.rows, size.rows * 1e-6)
    assert size.rows == 16384
    for _ in range(10):
        size.learn(size.rows, size.rows * 1e-3)
    assert size.rows == 50
    size.learn(size.rows, 100.0)
    assert size.rows == 1
