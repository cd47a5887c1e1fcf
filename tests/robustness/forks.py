"""The parent of killed commands: it has imported the code, and forks for each command.

Runs as a program. Reads a JSON line a command: its words, folder, file for what it
prints, and after how many seconds it is killed. Answers with a line: its exit status,
negative for a signal, and the seconds that it ran.
"""

from __future__ import annotations

# ruff: noqa: PLC0415  (the parent imports for its children)
import importlib
import json
import os
import pkgutil
import random
import select
import signal
import sys
import tempfile
import time
from contextlib import suppress
from typing import Any


def import_all() -> None:
    """Import what commands would import, so that a kill falls into their work."""
    import filelock
    import packaging.markers
    import typer
    import yaml

    import hub_client
    import plugin_spec

    del filelock, packaging, typer, yaml
    for package in (plugin_spec, hub_client):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def become_command(order: dict[str, Any]) -> None:
    from hub_client.cli import main

    os.setsid()
    os.chdir(order["folder"])
    os.environ.update(order["variables"])
    # Temporary names must not be the same in every child, and be where it has them.
    random.seed()
    tempfile.tempdir = None
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    status = main(order["words"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def run(order: dict[str, Any]) -> tuple[int, float]:
    """Fork a command; kill it in time, with all that it started or alone."""
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            become_command(order)
        finally:
            os._exit(70)
    descriptor = os.pidfd_open(child)
    ended, _, _ = select.select([descriptor], [], [], order["kill_after"])
    os.close(descriptor)
    if not ended:
        with suppress(ProcessLookupError, PermissionError):
            (os.killpg if order["group"] else os.kill)(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), time.monotonic() - started


if __name__ == "__main__":
    import_all()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
