"""Commands of the hub in processes that need not import the code again.

Importing takes most of the time of a short command. Here each is forked from a parent
that has imported everything, and is otherwise what a shell starts: its own folder,
environment and streams.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[2]
NEVER = 120.0
"""Seconds; a command that takes longer hangs."""


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    """Its exit status, negative for a signal."""
    seconds: float
    output: str
    errors: str

    @property
    def said(self) -> str:
        """All that it printed."""
        return self.output + self.errors


@dataclass(frozen=True, slots=True)
class Parent:
    """The process that commands are forked from."""

    process: subprocess.Popen[str]
    folder: Path
    environment: Mapping[str, str]
    """What it was started with."""

    def run(
        self,
        words: Sequence[object],
        folder: str | os.PathLike[str],
        variables: Mapping[str, str],
        *,
        kill_after: float = NEVER,
        group: bool = True,
    ) -> Ended:
        """Run a command with this environment; kill it in time.

        :param group: kill all that it started, too.
        """
        streams = [self.folder / name for name in ("output", "errors")]
        order = {
            "words": [*map(str, words)],
            "folder": os.fspath(folder),
            "variables": dict(variables),
            "streams": [*map(str, streams)],
            "kill_after": kill_after,
            "group": group,
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{json.dumps(order)}\n")
        self.process.stdin.flush()
        status, seconds = json.loads(self.process.stdout.readline())
        texts = [each.read_text(encoding="utf-8", errors="replace") for each in streams]
        return Ended(status, seconds, *texts)


@contextmanager
def open_parent() -> Iterator[Parent]:
    """Start the parent of commands, which takes a second to import the code."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (
        TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, Path(__file__).with_name("parent.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        yield Parent(process, Path(folder), environment)
        process.stdin.close()
