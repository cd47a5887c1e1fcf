"""Which weights are kept: for going on, and those that did best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from towhee.trainer.checkpoints import (
    Checkpoints,
    check_same,
    read_progress,
    writing,
)
from towhee.trainer.run import Best, is_better

if TYPE_CHECKING:
    from pathlib import Path

    from towhee.trainer.loop import Loop
    from towhee.trainer.run import Run
    from towhee.trainer.training_config import TrainingConfig


class Keeping:
    """Writes checkpoints when they are due, and the best weights if they are wanted."""

    def __init__(self, config: TrainingConfig, folder: Path) -> None:
        self._wanted = config.model_checkpoint or {}
        self._keep_best = config.load_best_model_at_end
        stopping = config.early_stopping or {}
        self._monitor = stopping.get("monitor", "eval_epoch_metric")
        self._mode = stopping.get("mode", "max")
        keep = self._wanted.get("keep")
        self.checkpoints = Checkpoints(folder, **({"keep": keep} if keep else {}))

    def is_due_after_step(self, run: Run) -> bool:
        """Whether to write one now."""
        every = self._wanted.get("every_n_step")
        return bool(every and run.step % every == 0)

    def is_due_after_epoch(self, run: Run) -> bool:
        """Whether to write one now; the last epoch's is never left out."""
        every = self._wanted.get("every_n_epoch")
        last = run.epoch == run.config.epoch_num
        return bool(every and (last or run.epoch % every == 0))

    def consider(self, loop: Loop, *, evaluated: bool) -> None:
        """Note figures that are better than any before, and keep their weights."""
        run, value = loop.run, loop.run.latest.get(self._monitor)
        if value is None or evaluated != self._monitor.startswith("eval"):
            return
        best = None if run.best is None else run.best.value
        if not is_better(value, best, mode=self._mode):
            return
        name = f"best-{run.step:08}.safetensors" if self._keep_best else None
        run.best = Best(self._monitor, value, run.epoch, run.step, name)
        if name is not None and loop.accelerator.is_main_process:
            self._write_weights(loop, name)

    def _write_weights(self, loop: Loop, name: str) -> None:
        from safetensors.torch import save_file  # noqa: PLC0415  (it imports torch)

        own = loop.kept.state_dict()
        state = {key: each.detach().cpu().contiguous() for key, each in own.items()}
        folder = self.checkpoints.folder
        folder.mkdir(parents=True, exist_ok=True)
        staged = folder / f"{name}.partial"
        with writing(folder / name, staged):
            save_file(state, staged)
        staged.rename(folder / name)

    def load_best(self, loop: Loop) -> None:
        """Put the weights of the best evaluation into the module."""
        from accelerate.utils import broadcast
        from safetensors.torch import load_file  # noqa: PLC0415  (as above)

        best = loop.run.best
        if best is None or best.weights is None:
            return
        loop.accelerator.wait_for_everyone()
        if loop.accelerator.is_main_process:
            weights = load_file(self.checkpoints.folder / best.weights)
            loop.trained.load_state_dict(weights)
        # The others may be on machines that do not see the file.
        broadcast(loop.trained.state_dict())

    def save(self, loop: Loop) -> None:
        """Write a checkpoint."""
        state = {"config": loop.config.to_dict(), **loop.state()}
        self.checkpoints.save(loop.accelerator, state)

    def resume(self, loop: Loop, checkpoint: Path | None) -> None:
        """Be where a checkpoint was written; without one, at the beginning.

        :raises CannotTrain: if it is of a training that was set otherwise.
        """
        found = checkpoint or self.checkpoints.latest()
        if found is None:
            return
        progress = read_progress(found)
        check_same(found, progress["config"], loop.config.to_dict())
        loop.accelerator.load_state(str(found))
        loop.restore(progress)
