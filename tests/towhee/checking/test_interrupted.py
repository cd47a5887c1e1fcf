"""A check that is broken off leaves nothing running, and no folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from installation import ROOT

from hub_client.config import HubConfig
from hub_client.publisher.workspace import open_workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub_client.installed import InstalledOperator


def is_running(process: int) -> bool:
    """Whether it runs; one that ended and that nobody asked about does not."""
    status = Path(f"/proc/{process}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition: Callable[[], bool]) -> bool:
    ends = time.monotonic() + 60
    while not (met := condition()) and time.monotonic() < ends:
        time.sleep(0.05)
    return met


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are read from /proc")
@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_a_check_that_is_ended_ends_all_that_an_operator_started(
    number: signal.Signals,
    status: int,
    write_operator: Callable[..., InstalledOperator],
    tmp_path: Path,
) -> None:
    code = f"""
    import os, subprocess, time
    child = subprocess.Popen(["sleep", "600"])
    with open({str(tmp_path / "part")!r}, "w") as file:
        file.write(f"{{os.getpid()}} {{child.pid}}")
    os.replace({str(tmp_path / "part")!r}, {str(tmp_path / "started")!r})
    time.sleep(600)
    """
    tree = write_operator(code).tree
    (tree / "README.md").write_text("# test/subject\n")
    (tree / "LICENSE").write_text("Apache-2.0\n")
    words = [sys.executable, "-m", "towhee", "check", "--run", tree]
    check = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert wait_for((tmp_path / "started").exists)
    check.send_signal(number)
    assert check.wait(60) == status
    started = [int(each) for each in (tmp_path / "started").read_text().split()]
    assert wait_for(lambda: not any(map(is_running, started)))
    cache = HubConfig.load().cache_dir
    copies = cache / "store" / "staging"
    assert (list(copies.iterdir()) == []) is (number is not signal.SIGKILL)
    # The next one takes away what a killed one left.
    with open_workspace(cache) as folder:
        assert list(copies.iterdir()) == [folder]
