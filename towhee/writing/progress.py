"""How far long work has come, for who waits at a terminal."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hub_client.cli.progress import Progress

_PATIENCE: Final = 2.0
"""Seconds before anything is shown."""
_PAUSE: Final = 0.1
"""Seconds between two changes of what is shown."""


def watched(
    rows: Iterable[Any], text: str, *, total: int | None = None
) -> Iterator[Any]:
    """Give the rows, and count them on a terminal once that takes long.

    :param total: how many there will be, if that is known.
    """
    if not sys.stderr.isatty():
        yield from rows
        return
    shown, done, seen = monotonic() + _PATIENCE, 0, 0
    bar: Progress | None = None
    with ExitStack() as stack:
        for done, row in enumerate(rows, 1):
            yield row
            if monotonic() < shown:
                continue
            if bar is None:
                bar = stack.enter_context(_bar(text, total))
            bar.advance(done - seen)
            if total is None:
                bar.tell(f"{text}: {done:,} rows")
            shown, seen = monotonic() + _PAUSE, done


def _bar(text: str, total: int | None) -> Any:  # noqa: ANN401  (a context of a Progress)
    from hub_client.cli.progress import open_progress  # noqa: PLC0415  (seldom needed)

    return open_progress(text, total=total, shown=True)
