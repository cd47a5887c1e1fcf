"""Progress of long work: a bar on a terminal, one line elsewhere."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from hub_client.text_of_others import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub_client.transfer import Advance


class Progress(Protocol):
    """Work under way."""

    def advance(self, steps: int = 1) -> None:
        """Say that ``steps`` more are done."""

    def tell(self, text: str) -> None:
        """Say what is being done now."""


class Silent:
    """Progress that nobody sees."""

    def advance(self, steps: int = 1) -> None:
        """Show nothing."""

    def tell(self, text: str) -> None:
        """Show nothing."""


class Lines:
    """Progress for a log: each new text is a line."""

    def advance(self, steps: int = 1) -> None:
        """Show nothing: a log is no place for a counter."""

    def tell(self, text: str) -> None:
        """Print the line."""
        print(visible(text), file=sys.stderr, flush=True)  # noqa: T201


def can_draw() -> bool:
    """Whether what is on stderr can be drawn over."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def open_progress(text: str, *, total: int | None, shown: bool) -> Iterator[Progress]:
    """Show ``text`` and how much of ``total`` is done; a spinner without a total."""
    if not shown:
        yield Silent()
    elif can_draw():
        with _open_bar(text, total) as bar:
            yield bar
    else:
        lines = Lines()
        lines.tell(text)
        yield lines


@contextmanager
def open_transfer(text: str, total: int) -> Iterator[Advance]:
    """Show how many of ``total`` bytes have arrived, how fast, and what is left."""
    from rich import progress as rich_progress  # noqa: PLC0415  (as in _open_bar)
    from rich.console import Console as RichConsole  # noqa: PLC0415

    display = rich_progress.Progress(
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(),
        rich_progress.DownloadColumn(binary_units=True),
        rich_progress.TransferSpeedColumn(),
        rich_progress.TimeRemainingColumn(),
        console=RichConsole(stderr=True),
        transient=True,
    )
    with display:
        task = display.add_task(visible(text), total=total)
        yield lambda arrived: display.advance(task, arrived)


@contextmanager
def _open_bar(text: str, total: int | None) -> Iterator[Progress]:
    # rich takes longer to import than most commands take.
    from rich import progress as rich_progress  # noqa: PLC0415
    from rich.console import Console as RichConsole  # noqa: PLC0415

    class Speed(rich_progress.ProgressColumn):
        def render(self, task: rich_progress.Task) -> str:
            return f"{task.speed:.1f}/s" if task.speed else ""

    class Bar:
        def advance(self, steps: int = 1) -> None:
            display.advance(task, steps)

        def tell(self, text: str) -> None:
            display.update(task, description=visible(text))

    columns: list[rich_progress.ProgressColumn] = [
        rich_progress.SpinnerColumn(),
        rich_progress.TextColumn("{task.description}", markup=False),
    ]
    if total is not None:
        columns += [
            rich_progress.BarColumn(),
            rich_progress.MofNCompleteColumn(),
            Speed(),
            rich_progress.TimeRemainingColumn(),
        ]
    console = RichConsole(stderr=True)
    with rich_progress.Progress(*columns, console=console, transient=True) as display:
        task = display.add_task(visible(text), total=total)
        yield Bar()
