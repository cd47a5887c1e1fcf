"""The parent of commands: it has imported the code, and forks for each.

Runs as a program. Reads a JSON line a command: its words, folder, variables, files for
what it prints, and after how many seconds it is killed. Answers with a line: its exit
status, negative for a signal, and the seconds that it ran.
"""

from __future__ import annotations

# ruff: noqa: PLC0415  (the parent imports for its children)
import gc
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
    """Import what commands would import, so that they come to their work at once."""
    import filelock
    import jsonschema
    import packaging.markers
    import rich.console
    import tomlkit
    import typer
    import yaml

    import hub_client

    del filelock, jsonschema, packaging, rich, tomlkit, typer, yaml
    for module in pkgutil.walk_packages(hub_client.__path__, "hub_client."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def become_command(order: dict[str, Any]) -> None:
    from hub_client.cli import main

    os.setsid()
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["variables"])
    # Temporary names must not be the same in every child, and be where it has them.
    random.seed()
    tempfile.tempdir = None
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, path in enumerate(order["streams"], 1):
        stream = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(stream, descriptor)
        os.close(stream)
    try:
        status = main(order["words"])
    except SystemExit as left:
        status = int(left.code or 0)
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
    # Children need not look through what was imported, nor copy it for that.
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
