"""A program that others feed: what it prints is kept up to a limit, and no further."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from subprocess import CompletedProcess
from threading import Thread
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from hub_client.side_by_side import check_needed
from plugin_spec.pool import start

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BLOCK: Final = 1 << 16
_GLANCE: Final = 0.2
"""Seconds between two looks at whether anybody still needs it."""


class SaidTooMuch(Exception):
    """A program printed more than it may, and was ended."""


class Bounds(NamedTuple):
    """What a program may take."""

    seconds: float
    printed: int
    """Bytes to stdout, and as many to stderr."""
    memory: int | None = None
    """Bytes, where the system can hold it to that."""
    file: int | None = None
    """Bytes that it may write to one file; as above."""


def run_bounded(
    command: Sequence[str],
    bounds: Bounds,
    *,
    env: Mapping[str, str],
    typed: bytes = b"",
) -> CompletedProcess[bytes]:
    """Run a program to its end.

    :param typed: what it reads from stdin.
    :raises SaidTooMuch: if it prints more.
    :raises subprocess.TimeoutExpired: if it does not end in time.
    :raises Unneeded: if the work that it is part of ends; it is ended, too.
    """
    process = subprocess.Popen(  # noqa: S603  (the caller's own words)
        command,
        env=env,
        stdin=subprocess.PIPE if typed else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    end = time.monotonic() + bounds.seconds
    try:
        _hold_to(process.pid, bounds)
        stdout, stderr = _communicate(process, typed, bounds.printed, end)
        status = process.wait(max(0.0, end - time.monotonic()))
    except Empty as error:
        process.kill()
        raise subprocess.TimeoutExpired(command, bounds.seconds) from error
    except BaseException:
        process.kill()
        raise
    finally:
        # For it alone: a child of its own may keep the pipes open for longer.
        process.wait()
    return CompletedProcess(command, status, stdout, stderr)


def _hold_to(pid: int, bounds: Bounds) -> None:
    """Have a program, and what it starts, come to an end of memory and disk sooner."""
    if sys.platform == "linux":
        import resource  # noqa: PLC0415  (there is none on Windows)

        for kind, limit in (
            (resource.RLIMIT_DATA, bounds.memory),
            (resource.RLIMIT_FSIZE, bounds.file),
            # Who is ended for what it wrote shall not leave its memory lying about.
            (resource.RLIMIT_CORE, 0),
        ):
            # Of a lower limit nothing is to be said, nor of a program that ended.
            with suppress(OSError, ValueError):
                if limit is not None:
                    resource.prlimit(pid, kind, (limit, limit))


def _communicate(
    process: subprocess.Popen[bytes], typed: bytes, limit: int, end: float
) -> tuple[bytes, bytes]:
    """What is printed until both pipes are closed.

    :raises Empty: if they are not, in time.
    :raises Unneeded: as ``check_needed``.
    """
    ended: SimpleQueue[bool] = SimpleQueue()
    said = bytearray(), bytearray()
    if process.stdin is not None:
        start(Thread(target=_type, args=(process.stdin, typed), daemon=True))
    for pipe, into in zip((process.stdout, process.stderr), said, strict=True):
        start(Thread(target=_read, args=(pipe, into, limit, ended), daemon=True))
    for _ in said:
        if not _awaited(ended, end):
            raise SaidTooMuch
    return bytes(said[0]), bytes(said[1])


def _awaited(ended: SimpleQueue[bool], end: float) -> bool:
    while (left := end - time.monotonic()) > 0:
        check_needed()
        with suppress(Empty):
            return ended.get(timeout=min(left, _GLANCE))
    return ended.get_nowait()


def _type(pipe: IO[bytes], typed: bytes) -> None:
    with suppress(OSError), pipe:
        pipe.write(typed)


def _read(
    pipe: IO[bytes], into: bytearray, limit: int, ended: SimpleQueue[bool]
) -> None:
    """Read to the end, or up to the limit; tell whether that was the end."""
    try:
        with pipe:
            while len(into) <= limit and (block := os.read(pipe.fileno(), _BLOCK)):
                into += block
    finally:
        ended.put(len(into) <= limit)
