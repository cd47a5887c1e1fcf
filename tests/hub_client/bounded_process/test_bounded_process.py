from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from hub_client.bounded_process import Bounds, SaidTooMuch, run_bounded
from hub_client.side_by_side import side_by_side
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from pathlib import Path

BOUNDS = Bounds(seconds=20, printed=1 << 20)


def run(
    program: str, typed: bytes = b"", bounds: Bounds = BOUNDS
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-Ic", f"import os, sys, time\n{program}"]
    return run_bounded(command, bounds, env=os.environ, typed=typed)


def test_what_a_program_prints_and_how_it_ends_is_known() -> None:
    done = run("print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert done.returncode == 3
    assert done.stdout.split() == [b"out"]
    assert done.stderr.split() == [b"err"]


def test_a_program_may_print_all_that_is_typed_to_it_while_it_reads() -> None:
    typed = b"x" * (1 << 20)
    done = run("sys.stdout.write(sys.stdin.read())", typed)
    assert done.stdout == typed
    # Nor does it have to read it.
    assert run("pass", typed).returncode == 0


@pytest.mark.parametrize("stream", [1, 2])
def test_a_program_that_prints_without_end_is_ended(stream: int) -> None:
    with pytest.raises(SaidTooMuch):
        run(f"while True: os.write({stream}, b'x' * 4096)")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_child_that_keeps_the_pipes_open_is_not_waited_for() -> None:
    started = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        run("os.fork() or time.sleep(5)", bounds=Bounds(0.5, 1 << 20))
    assert time.monotonic() - started < 4


@pytest.mark.skipif(sys.platform != "linux", reason="others hold nobody to it")
def test_a_program_that_writes_more_than_it_may_is_ended_and_leaves_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written = f"time.sleep(0.2); open('{tmp_path}/file', 'wb').write(b'x' * 5000)"
    signalled = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
    done = run(signalled + written, bounds=BOUNDS._replace(file=4096))
    assert done.returncode == -signal.SIGXFSZ
    assert not [*tmp_path.glob("core*")]
    limits = "import resource; time.sleep(0.2)\n"
    limits += "print(resource.getrlimit(resource.RLIMIT_CORE))"
    assert run(limits).stdout == b"(0, 0)\n"


def test_a_program_that_nobody_needs_any_more_is_ended(tmp_path: Path) -> None:
    file = tmp_path / "started"
    program = (
        "import os, sys, time\n"
        "print(os.getpid(), flush=True, file=open(sys.argv[1], 'w'))\n"
        "time.sleep(60)"
    )

    def work(what: str) -> None:
        if what == "fail":
            while not (file.exists() and file.read_text()):
                time.sleep(0.01)
            raise HubError("it went wrong elsewhere")
        command = [sys.executable, "-Ic", program, str(file)]
        run_bounded(command, BOUNDS, env=os.environ)

    with pytest.raises(HubError, match="it went wrong elsewhere"):
        side_by_side(work, ["run", "fail"], 2)
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.read_text()), 0)
