"""The process that an operator is checked in: ``python -m towhee.checking``."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path


def end_with_parent() -> None:
    """End, with all that the operator starts, when the process that waits is gone.

    It holds the other end of this one's stdin, where an operator then finds nothing.
    """
    held, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def wait() -> None:
        os.read(held, 1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, name="parent", daemon=True).start()


if __name__ == "__main__":
    end_with_parent()
    # Importing the rest takes a while, in which the other may go as well.
    from towhee.checking.examination import examine
    from towhee.checking.report import Report

    repository, report, options = sys.argv[1:]
    examine(Path(repository), json.loads(options), Report(Path(report)))
