"""Stop when it does not get better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from towhee.trainer.callbacks.base import Callback
from towhee.trainer.run import is_better

if TYPE_CHECKING:
    from towhee.trainer.run import Run


class EarlyStopping(Callback):
    """Stop after ``patience`` figures in a row that are no better than the best.

    :param monitor: a name in ``run.latest``; while it is not there, nothing happens.
    :param mode: ``max`` if more is better, ``min`` if less is.
    """

    def __init__(
        self, monitor: str = "eval_epoch_metric", patience: int = 4, mode: str = "max"
    ) -> None:
        self._monitor, self._patience, self._mode = monitor, patience, mode
        self._best: float | None = None
        self._worse = 0

    def on_evaluation_end(self, run: Run) -> None:
        """Look at a figure of an evaluation."""
        if self._monitor.startswith("eval"):
            self._look(run)

    def on_epoch_end(self, run: Run) -> None:
        """Look at a figure of an epoch's training."""
        if not self._monitor.startswith("eval"):
            self._look(run)

    def _look(self, run: Run) -> None:
        value = run.latest.get(self._monitor)
        if value is None:
            return
        if is_better(value, self._best, mode=self._mode):
            self._best, self._worse = value, 0
            return
        self._worse += 1
        if self._worse >= self._patience:
            best = "nan" if self._best is None else f"{self._best:.4g}"
            run.stop(
                f"{self._monitor} was not better than {best} "
                f"for {self._worse} evaluations"
            )

    def state(self) -> dict[str, Any]:
        """The best, and how long ago it was."""
        return {"best": self._best, "worse": self._worse}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on counting."""
        self._best, self._worse = state["best"], state["worse"]
