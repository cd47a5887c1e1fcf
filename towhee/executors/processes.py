"""Python processes that apply functions to chunks of rows, one for each thread."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from plugin_spec.errors import HubError
from towhee.executors.portable import CannotSend, pack, unpack
from towhee.executors.worker import MAIN, Problem, command, receive, send
from towhee.private_modules import known_packages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from towhee.executors.chunks import Numbered
    from towhee.executors.worker import Timed
    from towhee.pipelines import FunctionCall

_SECONDS_TO_END: Final = 2


class WorkerDied(HubError, RuntimeError):
    """A process ended in the middle of its work; ``status`` is what it ended with."""

    def __init__(self, calls: str, chunk: Sequence[Numbered], status: int) -> None:
        self.status = status
        how = f"status {status}" if status >= 0 else f"signal {-status}"
        super().__init__(
            f"A process that ran {calls} on rows {chunk[0][0]} to {chunk[-1][0]} "
            f"ended with {how}",
            hint="A function may have ended it, or the system for want of memory",
        )


class Processes:
    """Applies functions in a process of the calling thread's own.

    None is left when this ends; what one is doing then is not waited for.
    """

    def __init__(self, calls: Sequence[FunctionCall]) -> None:
        """Make the functions bytes.

        :raises CannotSend: naming the first that cannot be.
        """
        self._names = ".".join(map(str, calls))
        self._first, self._last = str(calls[0]), str(calls[-1])
        self._setup = _main_module(), _packed(calls)
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._processes: list[_Process] = []
        self._has_ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._has_ended = True
            for process in self._processes:
                process.end()

    def __call__(self, chunk: list[Numbered]) -> Timed:
        """Apply the functions to a chunk.

        :raises CannotSend: if the process cannot read it, or a function exits.
        :raises WorkerDied: if it ends before it answers.
        """
        process = self._process()
        try:
            answer = process.ask(pack(chunk, place=self._first))
        except (EOFError, OSError) as error:
            raise WorkerDied(f"`{self._names}`", chunk, process.status()) from error
        if isinstance(answer, Problem):
            raised = CannotSend(f"`{self._names}` {answer.words}")
            raised.add_note(answer.traceback)
            raise raised
        packed, rows, seconds = answer
        return unpack(packed, place=self._last), rows, seconds

    def _process(self) -> _Process:
        found: _Process | None = getattr(self._mine, "process", None)
        if found is None:
            with self._lock:
                if self._has_ended:
                    raise EOFError
                found = self._mine.process = _Process(self._setup)
                self._processes.append(found)
        return found


class _Process:
    def __init__(self, setup: tuple[object, ...]) -> None:
        self._setup: tuple[object, ...] | None = setup
        self._is_busy = False
        # A group of its own: Ctrl-C at a terminal is for the process that owns it.
        self._process = subprocess.Popen(  # noqa: S603  (this interpreter)
            command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **_own_group(),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout

    def ask(self, packed: bytes) -> Any:  # noqa: ANN401  (what ``_Worker.answer`` gives)
        self._is_busy = True
        if self._setup is not None:
            send(self._requests, (*self._setup, known_packages()))
            self._setup = None
        send(self._requests, packed)
        answer = receive(self._answers)
        self._is_busy = False
        return answer

    def status(self) -> int:
        return self._process.wait()

    def end(self) -> None:
        """Let it end if it has nothing to do; otherwise, or if it hangs, kill it."""
        with suppress(OSError, subprocess.TimeoutExpired):
            if not self._is_busy:
                self._requests.close()
                self._process.wait(timeout=_SECONDS_TO_END)
        self._process.kill()
        self._process.wait()
        for stream in (self._requests, self._answers):
            with suppress(OSError):  # It held bytes that nobody reads any more.
                stream.close()


def _own_group() -> dict[str, Any]:
    if os.name == "posix":
        return {"process_group": 0}
    return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}


def _main_module() -> dict[str, Any] | None:
    """Where to find the script that was started, for values of its classes."""
    from multiprocessing import spawn  # noqa: PLC0415  (10 ms, and only for processes)

    try:
        found: dict[str, Any] = spawn.get_preparation_data("towhee")
    except RuntimeError as error:
        raise CannotSend(
            "This script starts processes while they import it",
            hint="Put what starts them below `if __name__ == '__main__':`",
        ) from error
    # No process of ours opens connections, and a key is not to be written down.
    del found["authkey"]
    return found if _is_script() else None


def _packed(calls: Sequence[FunctionCall]) -> bytes:
    try:
        packed = pickle.dumps(tuple(calls), pickle.HIGHEST_PROTOCOL)
        if MAIN not in packed or _is_script():
            return packed
        # Nobody else can import what was typed into an interpreter or a notebook.
        error: Exception = TypeError("it is defined in an interactive session")
    except Exception as found:  # noqa: BLE001  (whatever a function's own code raises)
        error = found
    try:
        import cloudpickle  # type: ignore[import-untyped]  # noqa: PLC0415  (optional)

        by_value: bytes = cloudpickle.dumps(tuple(calls))
    except Exception:  # noqa: BLE001  (not there, or not able to)
        raise _cannot_send(calls, error) from error
    return by_value


def _is_script() -> bool:
    """Whether what runs is a file, rather than typed in."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    return file is not None and Path(file).is_file()


def _cannot_send(calls: Sequence[FunctionCall], error: Exception) -> CannotSend:
    """Name the first function that stays; all of them if each could go alone."""
    names = ".".join(map(str, calls))
    for call in calls:
        try:
            pickle.dumps(call)
        except Exception as found:  # noqa: BLE001  (as above)
            names, error = str(call), found
            break
    return CannotSend(
        f"`{names}` cannot be sent to another process: {error}",
        hint="Define the function with `def` in a module, "
        "or install `cloudpickle`, or use `backend='thread'`",
    )
