"""What is asked on a terminal, and what an answer does."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.operator_files import operator_files, write_files

if TYPE_CHECKING:
    from servers.git_repository import GitRepository

    from tests.hub_client.cli.conftest import Hub


def answer(words: list[str], typed: bytes | None) -> tuple[int, str]:
    """Run a command on a terminal, and type something when it asks; None is Ctrl-C."""
    terminal, child = pty.openpty()
    with subprocess.Popen(words, stdin=child, stdout=child, stderr=child) as process:
        os.close(child)
        shown = b""
        try:
            while True:
                # A signal that comes as a process turns to its reading does not wake it
                # up: it is sent again.
                woken, _, _ = select.select([terminal], [], [], 5)
                was_asked = b"[y/N]" in shown
                shown += os.read(terminal, 1 << 16) if woken else b""
                if b"[y/N]" not in shown or (was_asked and woken):
                    continue
                if typed is None:
                    process.send_signal(signal.SIGINT)
                elif not was_asked:
                    os.write(terminal, typed)
        except OSError:  # how Linux says that nobody writes to the terminal any more
            pass
        except BaseException:
            process.kill()
            raise
    os.close(terminal)
    return process.returncode, shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("typed", "status", "end"),
    [
        (b"n\n", 1, "error: You said no, and nothing was changed\n"),
        (None, 130, "\nInterrupted; nothing half done is kept\n"),
    ],
)
def test_what_is_not_agreed_to_is_not_done(
    hub: Hub, repository: GitRepository, typed: bytes | None, status: int, end: str
) -> None:
    pages = {"README.md": b"# Echo\n", "LICENSE": b"Apache License\n"}
    write_files(Path("work"), {**operator_files("acme/embed", "1.0.0"), **pages})
    words = (
        "publish",
        "work",
        "--no-run",
        "--to",
        f"git+{repository.url}",
        "--color=never",
    )
    code, shown = answer(hub.words(*words), typed)
    assert (code, repository.git("tag")) == (status, "")
    assert shown.endswith(end)
