"""What the local engine promises of order, laziness, memory, failures and threads."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
from itertools import count, islice
from typing import TYPE_CHECKING, get_args

import pytest
from bare_operators import environment

from plugin_spec import HubError
from towhee.executors.local import LocalExecutor
from towhee.executors.plan import Arrangement, Plan
from towhee.outcome import OperatorFailed, Outcome
from towhee.pipelines import FunctionCall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TypeAlias

    from hub_client.installed import InstalledOperator
    from towhee.bound import BoundPipeline

    WriteOperator: TypeAlias = Callable[..., InstalledOperator]
    Bound: TypeAlias = Callable[..., BoundPipeline]

MODEL = """
class Subject(ModelOperator):
    batch_size = 4
    batches = []

    def prepare(self, value):
        if value == "unprepared":
            raise ValueError("no such thing")
        return value

    def predict(self, batch):
        self.batches.append(len(batch))
        if "spoilt" in batch:
            raise RuntimeError(f"a batch of {len(batch)} with a spoilt row")
        return [("seen", value) for value in batch]
"""
THREADED = """
import threading, time

class Subject(Operator):
    concurrent = True

    def __call__(self, value):
        time.sleep(0.002 * (value % 3))
        if value == 13:
            raise ValueError("unlucky")
        return value, threading.current_thread().name
"""


def towhee_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("towhee")]


@pytest.fixture
def executor() -> LocalExecutor:
    return LocalExecutor(workers=2)


def test_rows_keep_their_order_through_threads(
    write_operator: WriteOperator, bound: Bound, executor: LocalExecutor
) -> None:
    values = executor.values(bound(write_operator(THREADED)), [*range(13), *range(12)])
    numbers, threads = zip(*values, strict=True)
    assert numbers == (*range(13), *range(12))
    assert threading.current_thread().name not in threads


def test_a_model_gets_full_batches_and_what_is_left(
    write_operator: WriteOperator, bound: Bound, executor: LocalExecutor
) -> None:
    pipeline = bound(write_operator(MODEL))
    assert list(executor.values(pipeline, range(10))) == [
        ("seen", n) for n in range(10)
    ]
    (model,) = pipeline.load()
    assert model.operator.operator.batches == [4, 4, 2]


def test_only_the_guilty_rows_of_a_batch_fail(
    write_operator: WriteOperator, bound: Bound, executor: LocalExecutor
) -> None:
    rows = ["a", "spoilt", "unprepared", "d", "e"]
    outcomes = list(executor.run(bound(write_operator(MODEL)), rows))
    assert [outcome.row for outcome in outcomes] == [0, 1, 2, 3, 4]
    assert [outcome.value for outcome in outcomes if not outcome.error] == [
        ("seen", "a"),
        ("seen", "d"),
        ("seen", "e"),
    ]
    assert [str(outcome.error) for outcome in outcomes if outcome.error] == [
        "`test/subject` failed on row 1, 'spoilt': RuntimeError: a batch of 1 with a spoilt row",
        "`test/subject` failed on row 2, 'unprepared': ValueError: no such thing",
    ]


def test_a_model_that_loses_rows_fails_the_batch_by_name(
    write_operator: WriteOperator, bound: Bound, executor: LocalExecutor
) -> None:
    code = """
    class Subject(ModelOperator):
        def prepare(self, value):
            return value

        def predict(self, batch):
            return batch[1:]
    """
    outcomes = list(executor.run(bound(write_operator(code)), "ab"))
    assert [str(outcome.error) for outcome in outcomes] == [
        f"`test/subject` failed on row {row}, '{value}': `predict` returned 1 outputs for 2 rows"
        for row, value in enumerate("ab")
    ]


CALLED = """
class Subject(Operator):
    concurrent = {concurrent}

    def __call__(self, value):
        return sys.exit("bye") if value == 1 else value
"""
BATCHED = """
class Subject(ModelOperator):
    def prepare(self, value):
        return value

    def predict(self, batch):
        return sys.exit("bye") if 1 in batch else batch
"""


@pytest.mark.parametrize(
    "code",
    [CALLED.format(concurrent=True), CALLED.format(concurrent=False), BATCHED],
    ids=["concurrent", "one at a time", "batches"],
)
def test_an_operator_that_exits_fails_its_row_only(
    write_operator: WriteOperator, bound: Bound, executor: LocalExecutor, code: str
) -> None:
    pipeline = bound(write_operator(f"import sys\n{code}"))
    outcomes = list(executor.run(pipeline, range(3)))
    assert [outcome.value for outcome in outcomes] == [0, None, 2]
    assert (
        str(outcomes[1].error) == "`test/subject` failed on row 1, 1: SystemExit: bye"
    )


def test_an_operator_that_forgets_to_return_fails_its_row(
    write_operator: WriteOperator, bound: Bound, executor: LocalExecutor
) -> None:
    code = """
    class Subject(Operator):
        def __call__(self, value):
            value + 1
    """
    operator = write_operator(code, outputs=[{"name": "vector", "type": "vector"}])
    with pytest.raises(OperatorFailed) as caught:
        list(executor.values(bound(operator), [1]))
    assert (
        str(caught.value)
        == "`test/subject` failed on row 0, 1: returned None for its output `vector`"
    )


def test_a_filter_keeps_row_numbers_of_the_source(
    write_operator: WriteOperator, bound: Bound, executor: LocalExecutor
) -> None:
    pipeline = bound(FunctionCall("filter", lambda n: n % 2), write_operator(THREADED))
    outcomes = list(executor.run(pipeline, range(10, 16), start=10))
    assert [outcome.row for outcome in outcomes] == [11, 13, 15]
    error = outcomes[1].error
    assert error is not None
    assert (error.operator, error.row, error.input) == ("test/subject", 13, 13)
    assert isinstance(error.__cause__, ValueError)


def test_values_come_until_the_first_failure(
    write_operator: WriteOperator, bound: Bound, executor: LocalExecutor
) -> None:
    values = executor.values(bound(write_operator(THREADED)), range(20))
    assert [number for number, _ in islice(values, 13)] == list(range(13))
    with pytest.raises(OperatorFailed, match="row 13, 13: ValueError: unlucky"):
        next(values)
    assert towhee_threads() == []


@pytest.mark.parametrize("arrangement", get_args(Arrangement))
def test_an_endless_source_is_read_a_bounded_number_ahead(
    write_operator: WriteOperator, bound: Bound, arrangement: Arrangement
) -> None:
    executor = LocalExecutor(plan=Plan(arrangement, batch_size=4, threads=2))
    pulled = 0

    def source() -> Iterator[int]:
        nonlocal pulled
        while True:
            pulled += 1
            yield 0

    values = executor.values(
        bound(write_operator(THREADED), write_operator(MODEL, name="test/model")),
        source(),
    )
    for taken, _ in zip(range(1, 200), values, strict=False):
        # A block of phases; otherwise two chunks a thread, or two batches and one more.
        assert pulled <= taken + 32
    values.close()
    assert towhee_threads() == []


def test_python_functions_run_in_the_callers_thread(
    write_operator: WriteOperator, bound: Bound, executor: LocalExecutor
) -> None:
    seen = set()

    def note(value: tuple[int, str]) -> int:
        seen.add(threading.current_thread().name)
        return value[0]

    pipeline = bound(write_operator(THREADED), FunctionCall("map", note))
    assert list(executor.values(pipeline, range(5))) == [0, 1, 2, 3, 4]
    assert seen == {threading.current_thread().name}


def test_decoding_overlaps_the_model(
    write_operator: WriteOperator, bound: Bound
) -> None:
    """The model waits for a row to be decoded that is not in its batch."""
    executor = LocalExecutor(plan=Plan("overlap", batch_size=4, threads=2))
    decode = """
    import threading

    class Subject(Operator):
        concurrent = True
        decoded = {number: threading.Event() for number in range(8)}

        def __call__(self, value):
            self.decoded[value].set()
            return value, self.decoded
    """
    model = """
    class Subject(ModelOperator):
        batch_size = 4

        def prepare(self, value):
            return value

        def predict(self, batch):
            return [
                decoded[min(number + 4, 7)].wait(timeout=20) for number, decoded in batch
            ]
    """
    pipeline = bound(write_operator(decode), write_operator(model, name="test/model"))
    assert list(executor.values(pipeline, range(8))) == [True] * 8


def test_closing_early_leaves_no_thread_and_starts_no_more_rows(
    write_operator: WriteOperator, bound: Bound, executor: LocalExecutor
) -> None:
    values = executor.values(bound(write_operator(THREADED)), count())
    assert next(values)[0] == 0
    assert towhee_threads() != []
    values.close()
    assert towhee_threads() == []


def test_an_error_of_the_source_comes_through_as_it_is(
    write_operator: WriteOperator, bound: Bound, executor: LocalExecutor
) -> None:
    def source() -> Iterator[int]:
        yield 0
        raise OSError("the disk is gone")

    values = executor.values(bound(write_operator(THREADED)), source())
    assert next(values)[0] == 0
    with pytest.raises(OSError, match="the disk is gone"):
        next(values)
    assert towhee_threads() == []


def test_one_instance_that_is_not_concurrent_is_called_by_one_thread_at_a_time(
    write_operator: WriteOperator, bound: Bound, executor: LocalExecutor
) -> None:
    code = """
    import time

    class Subject(Operator):
        inside = 0

        def __call__(self, value):
            self.inside += 1
            time.sleep(0.001)
            others = self.inside - 1
            self.inside -= 1
            return others
    """
    operator = write_operator(code)
    found: list[object] = []

    def work() -> None:
        found.extend(executor.values(bound(operator), range(20)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [0] * 80


def test_ctrl_c_ends_a_run_and_its_threads(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import itertools, os, threading, time

            from bare_operators import bound
            from plugin_spec import Operator
            from towhee.executors.local import LocalExecutor

            class Slow(Operator):
                concurrent = True
                def __call__(self, value):
                    os.write(1, b"started\\n")
                    time.sleep(0.1)
                    return value

            try:
                for value in LocalExecutor(2).values(bound(Slow()), itertools.count()):
                    pass
            except KeyboardInterrupt:
                pass
            print("left", [t.name for t in threading.enumerate()])
            """
        ),
        encoding="utf-8",
    )
    process = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout is not None
    with process:
        assert [process.stdout.readline() for _ in range(6)] == ["started\n"] * 6
        process.send_signal(signal.SIGINT)
        lines = process.stdout.read().splitlines()
    assert (lines[-1], process.returncode) == ("left ['MainThread']", 0)


def test_an_outcome_unwraps_to_its_value_or_raises() -> None:
    error = OperatorFailed("a/b", 1, ValueError("no"), row=0)
    assert Outcome(0, 1).unwrap() == 1
    with pytest.raises(OperatorFailed) as caught:
        Outcome(0, error=error).unwrap()
    assert caught.value is error


def test_a_failure_repeats_what_a_hub_error_says_and_hints() -> None:
    cause = HubError("Cannot decode `a.jpg`: it is empty", hint="Write it again")
    error = OperatorFailed("image-decode/cv2", b"x" * 99, cause, row=None)
    assert (
        str(error)
        == "`image-decode/cv2` failed on 99 bytes: Cannot decode `a.jpg`: it is empty"
    )
    assert error.hint == "Write it again"


def test_ctrl_c_in_an_operator_is_no_failed_row(
    write_operator: WriteOperator, bound: Bound, executor: LocalExecutor
) -> None:
    code = """
    class Subject(Operator):
        concurrent = True

        def __call__(self, value):
            raise KeyboardInterrupt
    """
    with pytest.raises(KeyboardInterrupt):
        list(executor.run(bound(write_operator(code)), [1]))
    assert towhee_threads() == []


def test_a_chain_runs_inside_an_operator_of_another_chain(
    write_operator: WriteOperator, bound: Bound, executor: LocalExecutor
) -> None:
    inner = write_operator(THREADED, name="test/inner")
    outer = write_operator(
        """
        class Subject(Operator):
            concurrent = True

            def __init__(self, data):
                self.numbers = [number for number, _ in data]
                self.data = data

            def __call__(self, value):
                return value, [number for number, _ in self.data] == self.numbers
        """,
        name="test/outer",
        parameters={"data": {}},
    )

    class Data:
        def __iter__(self) -> Iterator[object]:
            return executor.values(bound(inner), range(5))

    values = list(executor.values(bound(outer, data=Data()), range(6)))
    assert values == [(number, True) for number in range(6)]


def test_an_operator_with_several_ports_takes_and_gives_tuples(
    write_operator: WriteOperator, bound: Bound, executor: LocalExecutor
) -> None:
    ports = [{"name": "left", "type": "any"}, {"name": "right", "type": "any"}]
    code = """
    class Subject(Operator):
        def __call__(self, left, right):
            return (right, left) if left else right
    """
    pipeline = bound(write_operator(code, inputs=ports, outputs=ports))
    outcomes = list(executor.run(pipeline, [(1, 2), 3, (0, 1)]))
    assert outcomes[0].value == (2, 1)
    assert [str(outcome.error) for outcome in outcomes[1:]] == [
        "`test/subject` failed on row 1, 3: TypeError: expected a tuple with the inputs `left`, `right`",
        "`test/subject` failed on row 2, (0, 1): returned no tuple with its outputs `left`, `right`",
    ]
