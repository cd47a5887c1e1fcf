"""Lines on stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar

from towhee.trainer.callbacks.base import Callback

if TYPE_CHECKING:
    from towhee.trainer.run import Run


class Printing(Callback):
    """Print a line after every epoch, and after so many steps."""

    main_only: ClassVar[bool] = True
    shows: ClassVar[bool] = True

    def __init__(self, every_n_steps: int | None = None) -> None:
        self._every = every_n_steps

    def on_step_end(self, run: Run) -> None:
        """Say where it is."""
        if self._every and run.step % self._every == 0:
            _print(f"step {run.step:,} of {run.steps:,}")

    def on_epoch_end(self, run: Run) -> None:
        """Say what was measured."""
        _print(line(run))

    def on_train_end(self, run: Run) -> None:
        """Say why it ended early, if it did."""
        if run.stop_reason:
            _print(f"stopped: {run.stop_reason}")


def line(run: Run) -> str:
    """The last epoch on one line."""
    names = {
        "train_epoch_loss": "loss",
        "train_epoch_metric": run.config.metric.lower(),
        "eval_epoch_loss": "evaluation loss",
        "eval_epoch_metric": f"evaluation {run.config.metric.lower()}",
    }
    figures = ", ".join(
        f"{word} {_figure(run.latest[name])}"
        for name, word in names.items()
        if name in run.latest
    )
    return f"epoch {run.epoch} of {run.config.epoch_num}: {figures}"


def _figure(value: Any) -> str:  # noqa: ANN401
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201  (what the user waits for)
