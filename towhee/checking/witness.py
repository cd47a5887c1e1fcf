"""What an operator does beside its work: connections, prints, random numbers."""

from __future__ import annotations

import os
import random
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from towhee.checking.report import Report

_NAMING: Final = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})
_CONNECTING: Final = _NAMING | {"socket.connect", "socket.sendto"}


class Witness:
    """Watches stage by stage, and reports what it saw. One a process, for its life."""

    def __init__(self, report: Report, printed: Path) -> None:
        self._report = report
        self._printed = printed
        self._stage: str | None = None
        # Under Python itself, so that an operator cannot pass it by with a patch.
        sys.addaudithook(self._on_event)
        self._swallow_stdout()

    @contextmanager
    def watch(self, stage: str, *, network: bool = True) -> Iterator[None]:
        """Watch one stage; without ``network``, every connection fails."""
        self._report.begin(stage)
        states, printed = _random_states(), self._printed.stat().st_size
        if not network:
            self._stage = stage
        try:
            yield
        finally:
            self._stage = None
            sys.stdout.flush()
            self._compare(stage, states)
            if self._printed.stat().st_size > printed:
                self._report.add(
                    "warning",
                    stage,
                    "prints to stdout, where a program's results go",
                    "Use `logging`, or print to `sys.stderr`",
                )

    def _on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._stage is None or event not in _CONNECTING:
            return
        address = arguments[:2] if event in _NAMING else arguments[1]
        if not isinstance(address, tuple):
            return  # a socket of this machine
        place = ":".join(str(each) for each in address[:2])
        self._report.add(
            "error",
            self._stage,
            f"opens a connection to {place}",
            "Connect as late as possible: in the constructor, or in the first call",
        )
        raise OSError(f"no network while an operator is checked: {place}")

    def _swallow_stdout(self) -> None:
        """Lead what is printed, also by other languages' code, into a file."""
        sys.stdout.flush()
        target = os.open(self._printed, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(target, 1)
        os.close(target)

    def _compare(self, stage: str, before: dict[str, object]) -> None:
        after = _random_states()
        for module in sorted(before.keys() & after.keys()):
            if before[module] != after[module]:
                own = {"numpy": "numpy.random.default_rng", "torch": "torch.Generator"}
                self._report.add(
                    "warning",
                    stage,
                    f"draws from the random numbers that programs share in `{module}`",
                    f"Draw from a `{own.get(module, 'random.Random')}` of its own",
                )


def _random_states() -> dict[str, object]:
    """The state of every shared generator that is loaded."""
    states: dict[str, object] = {"random": random.getstate()}
    if numpy := sys.modules.get("numpy"):
        name, keys, *rest = numpy.random.get_state()
        states["numpy"] = (name, keys.tobytes(), *rest)
    if torch := sys.modules.get("torch"):
        states["torch"] = torch.random.get_rng_state().numpy().tobytes()
    return states
