"""What another Python process runs: functions over the chunks that it is sent.

Requests come through standard input, results leave through standard output; what
functions print goes to standard error.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

from towhee.executors.fusion import fused_pairs
from towhee.executors.portable import pack, unpack
from towhee.private_modules import adopt_packages

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from towhee.executors.chunks import Numbered
    from towhee.pipelines import FunctionCall

    Timed: TypeAlias = tuple[list[Numbered], int, float]

_LENGTH: Final = struct.Struct("<Q")
_NOTE: Final = "In another process:"
MAIN: Final = b"_main__"
"""The end of the names that the script has in its process, and in multiprocessing's."""


def send(stream: IO[bytes], message: object) -> None:
    """Write one message; it arrives whole or not at all."""
    packed = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(packed)))
    stream.write(packed)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:  # noqa: ANN401  (whatever was sent)
    """Read one message.

    :raises EOFError: if the other side is gone.
    """
    header = stream.read(_LENGTH.size)
    if len(header) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(header)
    packed = stream.read(length)
    if len(packed) < length:
        raise EOFError
    return pickle.loads(packed)  # noqa: S301  (from the process that started us)


def serve() -> None:
    """Answer until the other side is gone."""
    # It decides when this ends; at a terminal Ctrl-C reaches all processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    with suppress(EOFError, BrokenPipeError), requests, answers:
        main, functions, packages = receive(requests)
        adopt_packages(packages)
        worker = _Worker(main, functions)
        while True:
            send(answers, worker.answer(receive(requests)))


def timed(calls: Sequence[FunctionCall], chunk: list[Numbered]) -> Timed:
    """The results of a chunk, how many rows it had, and the seconds that they took."""
    start = time.perf_counter()
    results = list(fused_pairs(calls, iter(chunk)))
    return results, len(chunk), time.perf_counter() - start


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a chunk has no results."""

    words: str
    traceback: str


class _Worker:
    def __init__(self, main: dict[str, Any] | None, functions: bytes) -> None:
        self._main = main
        self._functions = functions
        self._calls: Sequence[FunctionCall] | None = None

    def answer(self, packed: bytes) -> object:
        """Packed results, with rows and seconds; or a ``Problem``."""
        try:
            calls = self._load(packed)
            rows = unpack(packed, place=str(calls[0]))
        except Exception as error:  # noqa: BLE001  (it is raised over there)
            return _told("cannot be read by", error)
        try:
            results, count, seconds = timed(calls, rows)
        except BaseException as error:  # noqa: BLE001  (as above)
            return _told("stopped", error)
        return pack(results, place=str(calls[-1]), note=_NOTE), count, seconds

    def _load(self, packed: bytes) -> Sequence[FunctionCall]:
        if self._calls is None:
            self._import_main(self._functions)
            self._calls = pickle.loads(self._functions)  # noqa: S301  (as above)
        self._import_main(packed)
        assert self._calls is not None
        return self._calls

    def _import_main(self, packed: bytes) -> None:
        """Import the script that was started, once something refers to it."""
        if self._main is None or MAIN not in packed:
            return
        from multiprocessing import process, spawn  # noqa: PLC0415  (seldom needed)

        main, self._main = self._main, None
        # As multiprocessing does it: a script that starts processes as it is imported
        # is told so.
        current: Any = process.current_process()
        current._inheriting = True  # noqa: SLF001  (as multiprocessing says it)
        try:
            spawn.prepare(main)
        finally:
            del current._inheriting  # noqa: SLF001


def _told(what: str, error: BaseException) -> Problem:
    lines = "".join(traceback.format_exception(error)).rstrip()
    return Problem(f"{what} another process: {type(error).__name__}: {error}", lines)


def command() -> list[str]:
    """How to start a process that serves, with this process's import path."""
    code = (
        f"import sys; sys.path[:] = {sys.path!r}; "
        "from towhee.executors.worker import serve; serve()"
    )
    return [sys.executable, "-c", code]
