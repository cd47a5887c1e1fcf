"""Ray itself: there or not, started here, or a cluster that is connected to."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import socket
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from plugin_spec.errors import HubError
from towhee.executors.ray.environment import runtime_env

_QUIET: Final = {
    # Nothing is reported to anybody.
    "RAY_USAGE_STATS_ENABLED": "0",
    # What Ray's own threads print as an error is a worker that died, and is replaced.
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
# Read by Ray when it is imported: elsewhere than on Linux it stands so by default.
_LOOPBACK: Final = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


_SECONDS: Final = 10
_LONGEST: Final = 40
"""Characters; with a session's name and a socket's, some 107 are allowed."""


class RayMissing(HubError, ImportError):
    """Ray, or what Ray Data needs, is not installed."""


class RayUnreachable(HubError, ConnectionError):
    """No cluster answers at an address."""


class RayRunning(HubError):
    """This process has a Ray already."""


def ray_start(
    address: str | None = None,
    *,
    lock: str | os.PathLike[str] | None = None,
    **options: Any,  # noqa: ANN401  (ray.init's)
) -> None:
    """Connect to the Ray cluster at ``address``, or start Ray on this machine.

    Chains on the engine ``ray`` start one themselves where there is none; this is for
    choosing it. What is started here has no dashboard, listens to this machine alone,
    and ends with this process.

    :param address: ``HOST:PORT`` of the cluster's head, or ``auto`` on one of its
        nodes; Ray's own variable ``RAY_ADDRESS`` counts if it is not given.
    :param lock: a ``hub.lock``, whose Python packages workers are to have; those of
        their nodes if it is not given.
    :param options: what ``ray.init`` takes, for example ``num_cpus=4``.
    :raises InvalidLockfile: if the lock does not read.
    :raises RayMissing: if Ray is not installed.
    :raises RayRunning: if this process has started or joined one before.
    :raises RayUnreachable: if no cluster answers there.
    """
    check_ray()
    address = address or os.environ.get("RAY_ADDRESS") or None
    for variable, value in {**_QUIET, **({} if address else _LOOPBACK)}.items():
        os.environ.setdefault(variable, value)
    import ray

    if ray.is_initialized():
        raise RayRunning(
            "This process uses Ray already",
            hint="Call `ray_start` before anything runs, or `ray.shutdown()` first",
        )
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    if lock is not None:
        asked = options.get("runtime_env") or {}
        options["runtime_env"] = {**runtime_env(Path(lock)), **asked}
    if address is None:
        # Without a word, Ray would join whatever was started on this machine before.
        ours = {**quiet, **_folder(), "include_dashboard": False}
        started: Any = ray.init("local", **{**ours, **options})
        atexit.register(_end, Path(started.address_info["session_dir"]))
        return
    try:
        _check_answer(address)
        ray.init(address, **{**quiet, **options})
    except OSError as error:
        raise RayUnreachable(
            f"No Ray cluster answers at `{address}`: {error}",
            hint="Start one there with `ray start --head`, or leave the address out",
        ) from error


def ensure_started() -> None:
    """Start Ray, or join the cluster that ``RAY_ADDRESS`` names, unless that was done.

    :raises RayMissing: if Ray is not installed.
    """
    check_ray()
    import ray

    if not ray.is_initialized():
        ray_start()


def _end(session: Path) -> None:
    """End Ray, and take away the environments that it made: it keeps gigabytes."""
    import ray

    ray.shutdown()
    shutil.rmtree(session / "runtime_resources", ignore_errors=True)


def _folder() -> dict[str, str]:
    """Another folder for Ray's sockets, where their names would be too long."""
    usual = os.environ.get("RAY_TMPDIR", tempfile.gettempdir())
    return {} if len(usual) < _LONGEST else {"_temp_dir": "/tmp/ray"}  # noqa: S108  (Ray's own)


def _check_answer(address: str) -> None:
    """Ask first: Ray itself tries for minutes."""
    host, _, port = address.rpartition(":")
    if host and "://" not in host and port.isdecimal():
        with socket.create_connection((host.strip("[]"), int(port)), _SECONDS):
            pass


def check_ray() -> None:
    """Refuse to go on without Ray; imports nothing.

    :raises RayMissing: with what to install.
    """
    missing = [name for name in ("ray", "pyarrow", "pandas") if not find_spec(name)]
    if missing:
        raise RayMissing(
            f"The engine `ray` needs {', '.join(f'`{name}`' for name in missing)}, "
            "not installed here",
            hint="Run `pip install 'towhee-hub[ray]'`",
        )
