"""Processes of a test's own, looked at while they may end."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil


def running_below(process: int) -> dict[psutil.Process, list[str]]:
    """Its children and theirs, with their command lines; none that has ended."""
    import psutil  # noqa: PLC0415  (Ray brings it, and makes it importable)

    found = {}
    for each in psutil.Process(process).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if each.status() != psutil.STATUS_ZOMBIE and (words := each.cmdline()):
                found[each] = words
    return found
