"""What running an operator finds, and that nothing of it reaches this process."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from towhee.checking import inspect

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub_client.installed import InstalledOperator

    Write = Callable[..., InstalledOperator]

TEXT = [{"name": "text", "type": "text"}]
VECTOR = [{"name": "vector", "type": "vector", "dtype": "float32", "shape": [2]}]


def found(
    write: Write,
    code: str,
    options: dict[str, object] | None = None,
    **settings: object,
) -> list[str]:
    tree = write(code, **{"inputs": TEXT, **settings}).tree
    findings = inspect(tree, options=options or {}, seconds=60)
    assert all(each.mend for each in findings)
    return [f"{each.severity}: {each.place}: {each.message}" for each in findings]


def test_an_operator_that_keeps_its_word_has_nothing_to_mend(
    write_operator: Write,
) -> None:
    code = """
    import numpy as np

    class Subject(ModelOperator):
        def prepare(self, text):
            return len(text)

        def predict(self, batch):
            return [np.array([each, 1], np.float32) for each in batch]
    """
    assert found(write_operator, code, outputs=VECTOR) == []


def test_a_thread_that_was_told_to_end_is_given_a_moment(
    write_operator: Write,
) -> None:
    code = """
    import threading, time
    import numpy as np

    class Subject(Operator):
        def __call__(self, text):
            return np.array([len(text), 1], np.float32)

        def close(self):
            threading.Thread(target=time.sleep, args=(0.1,)).start()
    """
    assert found(write_operator, code, outputs=VECTOR) == []


def test_every_broken_promise_of_a_call_is_found(write_operator: Write) -> None:
    code = """
    import random, threading, time
    from pathlib import Path
    import numpy as np

    random.seed(1)

    class Subject(Operator):
        calls = 0

        def __call__(self, rows):
            print("working")
            self.calls += 1
            rows.append(1)
            np.random.rand()
            Path(__file__).with_name("state").write_text(str(self.calls))
            Path("log.txt").touch()
            return np.array([self.calls, 1])

        def close(self):
            threading.Thread(target=time.sleep, args=(2,)).start()
            raise RuntimeError("closed")
    """
    files = {"samples/row.json": "[0]"}
    any_port = [{"name": "rows", "type": "any"}]
    shown = found(write_operator, code, inputs=any_port, outputs=VECTOR, files=files)
    shared = "draws from the random numbers that programs share in"
    prints = "prints to stdout, where a program's results go"
    row = "`samples/row.json`"
    assert shown == [
        f"warning: import: {shared} `random`",
        f"error: call: changes its input, {row}: [0] and [0, 1]",
        (
            "error: call: its output is int64 of shape (2,), "
            "but `vector` is vector float32 [2]"
        ),
        f"warning: call: {shared} `numpy`",
        f"warning: call: {prints}",
        (
            f"warning: second call: gives another output for {row}: "
            "elements that are not equal"
        ),
        f"warning: second call: {shared} `numpy`",
        f"warning: second call: {prints}",
        "error: close: fails: RuntimeError: closed",
        "warning: close: leaves `Thread-1 (sleep)` running",
        "warning: call: writes `log.txt` into the current folder, which is the user's",
        (
            "error: call: writes into its own folder, "
            "which is shared and checked by its digest"
        ),
    ]


def test_a_space_that_is_not_the_one_of_its_vectors_is_found(
    write_operator: Write,
) -> None:
    code = """
    import numpy as np
    from plugin_spec import EmbeddingSpace

    class Subject(ModelOperator):
        space = EmbeddingSpace("test/subject", "tiny", "w", layer="layer4")

        def prepare(self, text):
            return len(text)

        def predict(self, batch):
            return [np.array([each, 1], np.float32) for each in batch]
    """
    said = {"operator": "test/subject", "model": "tiny", "weights": "w"}
    (shown,) = found(write_operator, code, outputs=VECTOR, space=said)
    assert shown.splitlines() == [
        "error: space: makes vectors of another space than it says",
        "  layer: none, layer4",
    ]


@pytest.mark.slow
def test_a_row_that_depends_on_those_beside_it_is_found(write_operator: Write) -> None:
    code = """
    class Subject(ModelOperator):
        def prepare(self, text):
            return len(text)

        def predict(self, batch):
            return [each - sum(batch) / len(batch) for each in batch]
    """
    assert found(write_operator, code)[0] == (
        "error: batch: gives a made-up text another output in a batch: "
        f"0.0 and {25 - (25 + 51 + 6) / 3}"
    )


@pytest.mark.slow
def test_rows_that_cannot_share_a_batch_are_found(write_operator: Write) -> None:
    code = """
    import numpy as np

    class Subject(ModelOperator):
        def prepare(self, text):
            return np.frombuffer(text.encode(), np.uint8)

        def predict(self, batch):
            return np.stack(batch)[:, 0]
    """
    (shown,) = found(write_operator, code)
    assert shown == (
        "error: batch: fails on rows that it takes alone: "
        "ValueError: all input arrays must have the same shape"
    )
    mended = code + (
        "\n        def batch_key(self, prepared):\n            return len(prepared)\n"
    )
    assert found(write_operator, mended, version="2.0.0") == []


def test_a_connection_at_import_fails_and_is_found(write_operator: Write) -> None:
    code = """
    import socket, urllib.request

    try:
        urllib.request.urlopen("http://localhost:9/weights")
    except OSError:
        pass
    socket.socket(socket.AF_UNIX).close()

    class Subject(Operator):
        def __call__(self, text):
            return text
    """
    assert found(write_operator, code) == [
        "error: import: opens a connection to localhost:9"
    ]


@pytest.mark.slow
def test_what_differs_from_process_to_process_is_found(write_operator: Write) -> None:
    code = """
    class Subject(Operator):
        def __call__(self, text):
            return hash(text)
    """
    shown = found(write_operator, code)
    assert {each.partition(" for")[0] for each in shown} == {
        "warning: another process: gives another output"
    }


@pytest.mark.slow
def test_an_output_that_cannot_leave_its_process_is_found(
    write_operator: Write,
) -> None:
    code = """
    class Subject(Operator):
        def __call__(self, text):
            return lambda: text
    """
    shown = found(write_operator, code)[-1]
    assert shown.startswith("error: another process: fails there: ")
    assert "Subject.__call__.<locals>.<lambda>" in shown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "shown"),
    [
        (
            "import a_package_that_nobody_has",
            (
                "error: import: fails: ModuleNotFoundError: "
                "No module named 'a_package_that_nobody_has'"
            ),
        ),
        (
            "Subject = 3",
            (
                "error: construction: fails: `test/subject` provides 3, "
                "which is no `plugin_spec.Operator`"
            ),
        ),
        (
            "class Subject(Operator):\n    def __call__(self, text): return text[99]",
            (
                "error: call: fails on a made-up text: "
                "IndexError: string index out of range"
            ),
        ),
        (
            "import os\nos.write(2, b'Fatal: no GPU')\nos._exit(3)",
            "error: import: ends the process: Fatal: no GPU",
        ),
        (
            "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
            "error: import: ends the process by SIGSEGV",
        ),
    ],
    ids=["import", "class", "call", "process", "signal"],
)
def test_where_an_operator_fails_is_told(
    code: str, shown: str, write_operator: Write
) -> None:
    assert shown in found(write_operator, code)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["import", "construction", "call"])
def test_a_package_that_is_named_and_not_installed_is_one_to_install(
    stage: str, write_operator: Write
) -> None:
    line = dict.fromkeys(("import", "construction", "call"), "pass")
    line[stage] = "import nobody_has_it"
    code = f"""
    {line["import"]}
    class Subject(Operator):
        def __init__(self):
            {line["construction"]}
        def __call__(self, text):
            {line["call"]}
    """
    packages = ["nobody-has-it>=1", "packaging", "not-here; python_version < '3'"]
    tree = write_operator(code, inputs=TEXT, requires={"packages": packages}).tree
    finding, *_ = inspect(tree, options={})
    assert (finding.severity, finding.place) == ("error", stage)
    assert finding.mend == (
        "Run `pip install 'nobody-has-it>=1'`, or `hub check --fresh`"
    )


@pytest.mark.slow
def test_an_operator_that_hangs_is_ended(write_operator: Write) -> None:
    code = "import time\ntime.sleep(600)"
    tree = write_operator(code).tree
    (finding,) = inspect(tree, options={}, seconds=8)
    assert str(finding) == (
        "error: import: does not end within 8 seconds\n"
        "  Run its test, and look at what it leaves running or where it stops"
    )


REQUIRED = """
class Subject(Operator):
    def __init__(self, *, size):
        self.size = size

    def __call__(self, text):
        return text[: self.size]
"""
SIZE = {"size": {"type": "integer"}}


@pytest.mark.slow
def test_options_come_from_the_caller_or_the_samples(write_operator: Write) -> None:
    settings: dict[str, object] = {"parameters": SIZE}
    assert found(write_operator, REQUIRED, **settings) == [
        (
            "warning: construction: `test/subject` does not take these options\n"
            "  size: required, but not given"
        )
    ]
    assert found(write_operator, REQUIRED, {"size": 3}, **settings) == []
    files = {"samples/options.json": '{"size": 3}'}
    assert found(write_operator, REQUIRED, files=files, **settings) == []


def test_parameters_that_are_not_the_constructors_are_found(
    write_operator: Write,
) -> None:
    code = """
    class Subject(Operator):
        def __init__(self, *, scale=1.0, size, kind=None, layers=()):
            pass

        def __call__(self, text):
            return text
    """
    parameters = {
        "other": {"type": "number"},
        "scale": {"type": "number", "default": 5.0},
        "size": {"type": "integer", "default": 8},
        "kind": {"type": "string", "default": "derived"},
        "layers": {"type": "array", "default": [1]},
    }
    assert found(write_operator, code, parameters=parameters)[:3] == [
        "error: operator.yaml: parameters.other: its constructor takes no `other`",
        (
            "error: operator.yaml: parameters.scale: "
            "its default is 5.0 here, and 1.0 in the constructor"
        ),
        (
            "error: operator.yaml: parameters.size: "
            "its default is 8 here, and the constructor has none"
        ),
    ]


def test_an_operator_that_gives_nothing_but_nan_is_told(write_operator: Write) -> None:
    code = """
    import numpy as np

    class Subject(Operator):
        def __call__(self, text):
            return np.full(2, np.nan, np.float32)
    """
    assert found(write_operator, code, outputs=VECTOR) == [
        "warning: call: gives nothing but NaN"
    ]


@pytest.mark.slow
def test_a_description_has_to_be_json(write_operator: Write) -> None:
    code = """
    class Subject(Operator):
        def __call__(self, text):
            return (each for each in text)

        def describe(self):
            return {"words": {"cat"}}
    """
    assert found(write_operator, code)[0] == (
        "error: construction: `describe` fails: "
        "TypeError: Object of type set is not JSON serializable"
    )


@pytest.mark.slow
def test_an_operator_that_learns_is_not_called_before_it_has(
    write_operator: Write,
) -> None:
    code = """
    from plugin_spec import StatefulOperator

    class Subject(StatefulOperator):
        def feed(self, text): self.text = text
        def fit(self): pass
        def predict(self, batch): return [self.text for _ in batch]
        def save(self): return b""
        def restore(self, saved): pass
    """
    assert found(write_operator, code) == []


@pytest.mark.slow
def test_inputs_that_had_to_be_guessed_are_no_error(write_operator: Write) -> None:
    code = """
    class Subject(Operator):
        def __call__(self, value):
            return value + 1
    """
    (shown,) = found(write_operator, code, inputs=[{"name": "n", "type": "any"}])
    assert shown.startswith("warning: call: fails on a made-up any: TypeError: ")
    (shown,) = found(write_operator, code, inputs=[{"name": "n", "type": "results"}])
    assert shown == (
        "warning: call: was not tried, since no input can be made for its ports"
    )


@pytest.mark.slow
def test_it_runs_on_a_copy_in_an_empty_folder(write_operator: Write) -> None:
    code = """
    import os
    from pathlib import Path

    class Subject(Operator):
        def __call__(self, text):
            assert os.listdir() == []
            return text
    """
    Path("notes").write_text("mine")
    assert found(write_operator, code) == []
    assert [path.name for path in Path.cwd().iterdir()] == ["notes"]


@pytest.mark.slow
def test_an_output_that_a_later_call_changes_is_found(write_operator: Write) -> None:
    code = """
    import numpy as np

    class Subject(Operator):
        def __init__(self):
            self.buffer = np.zeros(2, np.float32)

        def __call__(self, text):
            self.buffer[:] = len(text)
            return self.buffer
    """
    shown = "error: call: changes what it gave for a made-up text, in a later call: "
    assert found(write_operator, code, outputs=VECTOR) == [
        f"{shown}elements that are up to 19 apart, where the largest is 25",
        f"{shown}elements that are up to 45 apart, where the largest is 51",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("outputs", "returned", "shown"),
    [
        (VECTOR, "None", "returned None for its output `vector`"),
        ([*VECTOR, *TEXT], "text", "returned no tuple with its outputs"),
    ],
)
def test_what_is_no_output_is_mended_where_it_is_returned(
    outputs: list[dict[str, object]],
    returned: str,
    shown: str,
    write_operator: Write,
) -> None:
    code = f"""
    class Subject(Operator):
        def __call__(self, text):
            return {returned}
    """
    tree = write_operator(code, inputs=TEXT, outputs=outputs).tree
    (finding,) = inspect(tree, options={})
    assert shown in finding.message
    assert finding.mend == "Return what `outputs` says, or say there what it returns"


@pytest.mark.slow
def test_rows_that_a_batch_drops_are_found(write_operator: Write) -> None:
    code = """
    class Subject(ModelOperator):
        def prepare(self, text):
            return text

        def predict(self, batch):
            return batch[:1]
    """
    (finding,) = inspect(write_operator(code, inputs=TEXT).tree, options={})
    assert str(finding) == (
        "error: batch: `predict` returned 1 outputs for 3 rows\n"
        "  Return one output for each row, in their order"
    )


@pytest.mark.slow
def test_what_it_ran_without_is_told(write_operator: Write) -> None:
    code = """
    class Subject(Operator):
        def __call__(self, text):
            return text
    """
    packages = ["nobody-has-it>=1", "packaging>=999", "pluggy", "x; python_version<'3'"]
    requires = {"python": ">=3.99", "packages": packages}
    python, missing, old = found(write_operator, code, requires=requires)
    assert python.startswith(
        "warning: operator.yaml: requires.python: is >=3.99, and it ran with Python 3."
    )
    assert missing == (
        "warning: operator.yaml: requires.packages: "
        "`nobody-has-it>=1` is not installed here, and it ran without"
    )
    assert old.startswith(
        "warning: operator.yaml: requires.packages: "
        "says `packaging>=999`, and it ran with packaging 2"
    )


@pytest.mark.slow
def test_an_operator_that_breaks_the_report_is_told(write_operator: Write) -> None:
    code = """
    import json, sys

    class Subject(Operator):
        def __call__(self, text):
            with open(sys.argv[2], "ab") as report:
                report.write(b"\\xff[1]\\n[1]\\n")
            json.dumps = lambda *_: "x"
            return text
    """
    (shown,) = found(write_operator, code)
    assert shown == "error: call: ends the process"


@pytest.mark.slow
def test_what_an_operator_starts_ends_with_its_check(
    write_operator: Write, tmp_path: Path
) -> None:
    written = tmp_path / "started"
    code = f"""
    import subprocess
    from pathlib import Path

    started = subprocess.Popen(["sleep", "600"])
    with open({str(written)!r}, "a") as file:
        print(started.pid, file=file)

    class Subject(Operator):
        def __call__(self, text):
            return text
    """
    assert found(write_operator, code) == []
    first, *_ = map(int, written.read_text().split())
    until = time.monotonic() + 30
    while is_alive(first) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_alive(first)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_what_a_call_imports_has_to_be_required(write_operator: Write) -> None:
    code = """
    class Subject(Operator):
        def __call__(self, text):
            import json, packaging.version, numpy
            from . import __doc__
            try:
                import pluggy
            except ImportError:
                pluggy = None
            if text == "never":
                import pytest
            return text
    """
    (shown,) = found(write_operator, code, requires={"packages": ["numpy"]})
    assert shown.endswith(
        ": imports `packaging`, which `requires.packages` does not name"
    )
    required = {"packages": ["numpy", "packaging"]}
    assert found(write_operator, code, requires=required, version="2.0.0") == []
