"""Ray as ``ray_start`` leaves it: quiet, for this machine alone, and gone in the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from hub_client.lockfile import LockedPackage, Lockfile
from towhee.executors.ray.cluster import RayUnreachable, ray_start
from towhee.executors.ray.environment import runtime_env

if TYPE_CHECKING:
    from pathlib import Path

STARTED = """
import json
from towhee.executors.ray.cluster import RayRunning, ray_start
ray_start(num_cpus=1)
import psutil
try:
    ray_start()
except RayRunning as error:
    refused = str(error)
family = psutil.Process().children(recursive=True)
addresses = {
    connection.laddr.ip
    for process in (psutil.Process(), *family)
    for connection in process.net_connections("tcp")
    if connection.status == psutil.CONN_LISTEN
}
names = [" ".join(process.cmdline()) for process in family]
print(json.dumps([refused, sorted(addresses), [p.pid for p in family], names]))
"""


@pytest.mark.slow
def test_what_is_started_listens_to_this_machine_alone_and_ends_with_its_process(
    ray_folder: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTED],
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "RAY_TMPDIR": str(ray_folder),
            "TMPDIR": str(ray_folder),
        },
    )
    refused, addresses, processes, names = json.loads(done.stdout)
    assert refused == "This process uses Ray already"
    assert {each.removeprefix("::ffff:") for each in addresses} == {"127.0.0.1"}
    assert "Usage stats" not in done.stderr
    assert names
    import psutil  # noqa: PLC0415  (Ray makes it importable)

    # They notice by themselves that it has ended.
    deadline = time.monotonic() + 10
    while any(map(psutil.pid_exists, processes)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [each for each in processes if psutil.pid_exists(each)] == []


def test_an_address_where_nobody_answers_is_named() -> None:
    with pytest.raises(RayUnreachable) as caught:
        ray_start("127.0.0.1:1")
    assert str(caught.value) == (
        "No Ray cluster answers at `127.0.0.1:1`: [Errno 111] Connection refused"
    )


def test_an_environment_is_made_of_what_a_lock_pins(tmp_path: Path) -> None:
    lock = tmp_path / "hub.lock"
    pinned = (
        LockedPackage(
            "six", "1.17.0", None, (f"sha256:{'b' * 64}", f"sha256:{'c' * 64}")
        ),
        LockedPackage(
            "colorama", "0.4.6", 'sys_platform == "win32"', (f"sha256:{'a' * 64}",)
        ),
    )
    Lockfile(inputs=(), operators=(), packages=pinned).write(lock)
    assert runtime_env(lock) == {
        "uv": {
            "packages": [
                'colorama==0.4.6 ; sys_platform == "win32" --hash=sha256:' + "a" * 64,
                "six==1.17.0 --hash=sha256:" + "b" * 64 + " --hash=sha256:" + "c" * 64,
            ],
            "uv_pip_install_options": ["--require-hashes", "--no-deps"],
        }
    }
