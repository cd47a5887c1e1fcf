"""Curves that TensorBoard shows while a training goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from towhee.extras import needed_for
from towhee.trainer.callbacks.base import Callback

if TYPE_CHECKING:
    from towhee.trainer.run import Run


class TensorBoard(Callback):
    """Write every figure of the history by its step.

    :param log_dir: by default ``tensorboard`` in the run's ``output_dir``.
    """

    main_only: ClassVar[bool] = True

    def __init__(self, log_dir: str | None = None, comment: str = "") -> None:
        self._folder, self._comment = log_dir, comment
        self._writer: Any = None

    def on_train_begin(self, run: Run) -> None:
        """Open its file.

        :raises MissingExtra: if TensorBoard is not installed.
        """
        with needed_for("`tensorboard` of the configuration", extra="train"):
            from torch.utils.tensorboard import SummaryWriter
        folder = self._folder or str(Path(run.config.output_dir) / "tensorboard")
        # What was written after the step that a checkpoint holds, or by an earlier
        # training into the same folder, is none of these curves.
        first = run.step + 1 if run.step else 0
        self._writer = SummaryWriter(
            folder, filename_suffix=self._comment, purge_step=first
        )

    def on_evaluation_end(self, run: Run) -> None:
        """Write what an evaluation between two epochs measured."""
        if "train_epoch_loss" not in run.latest:
            self._write(run)

    def on_epoch_end(self, run: Run) -> None:
        """Write what an epoch measured."""
        self._write(run)

    def on_train_end(self, run: Run) -> None:
        """Close its file."""
        del run
        if self._writer is not None:
            self._writer.close()

    def _write(self, run: Run) -> None:
        for name, value in run.latest.items():
            if name not in {"epoch", "step"}:
                self._writer.add_scalar(name, value, run.step)
