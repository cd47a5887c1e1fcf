"""A bar on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from towhee.trainer.callbacks.base import Callback
from towhee.trainer.callbacks.printing import line

if TYPE_CHECKING:
    from towhee.trainer.run import Run


class ProgressBar(Callback):
    """Show how many steps are done, and a line above the bar for every epoch.

    :param live: whether there is a bar; None if stderr is a terminal.
    :param quiet: whether there are no lines either.
    """

    main_only: ClassVar[bool] = True
    shows: ClassVar[bool] = True

    def __init__(self, *, live: bool | None = None, quiet: bool = False) -> None:
        self._live, self._quiet = live, quiet
        self._bar: Any = None

    def on_train_begin(self, run: Run) -> None:
        """Draw it; where nobody sees a bar, lines alone are written."""
        from rich.console import Console  # noqa: PLC0415  (as it is used)
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=self._live is False,
        )
        self._bar.add_task("training", total=run.steps, completed=run.step)
        self._bar.start()

    def on_step_end(self, run: Run) -> None:
        """Go on by one."""
        self._bar.update(self._bar.task_ids[0], completed=run.step)

    def on_epoch_end(self, run: Run) -> None:
        """Say what was measured."""
        self._print(line(run))

    def on_train_end(self, run: Run) -> None:
        """Take the bar away."""
        if self._bar is None:
            return
        self._bar.stop()
        if run.stop_reason:
            self._print(f"stopped: {run.stop_reason}")

    def _print(self, text: str) -> None:
        if self._quiet:
            return
        self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)
