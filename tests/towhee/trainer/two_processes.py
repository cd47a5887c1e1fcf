"""One of several processes that train together; torchrun or accelerate starts it."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from trainees import Small, points

from towhee.trainer.callbacks import Callback
from towhee.trainer.training import Training
from towhee.trainer.training_config import TrainingConfig

if TYPE_CHECKING:
    from towhee.trainer.run import Run


def rank() -> str:
    """Which of them this is, as torchrun or accelerate says it."""
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return str(distributed.get_rank())
    return os.environ.get("RANK", "0")


class WorldSize(Callback):
    """Asks torch how many there are, and how many of them call this."""

    found = 0

    def on_train_begin(self, run: object) -> None:
        del run
        distributed = torch.distributed
        together = distributed.is_available() and distributed.is_initialized()
        self.found = distributed.get_world_size() if together else 1


class Killed(Callback):
    """Ends the second process at a step, as a machine that goes away does."""

    def __init__(self, step: int) -> None:
        self._step = step

    def on_step_end(self, run: Run) -> None:
        if run.step == self._step and rank() == "1":
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder: Path, kill_at: int) -> None:
    """Train, or go on, and write what this process came to."""
    fields = json.loads((folder / "config.json").read_text())
    operator, world = Small(dropout=fields.pop("dropout")), WorldSize()
    config = TrainingConfig(**fields, output_dir=str(folder / "out"))
    watching = [world, Killed(kill_at)]
    training = Training(operator, config, points(24), points(9, seed=1), watching)
    own = rank()
    result = training.start(resume=True)
    threads = Path("/proc/self/task").glob("*/comm")
    figures = {
        "world": world.found,
        "still_joined": torch.distributed.is_initialized(),
        "threads_of_gloo": sum("gloo" in each.read_text() for each in threads),
        "weights": operator.weights.tolist(),
        "history": list(result.history),
    }
    (folder / f"rank-{own}.json").write_text(json.dumps(figures))


if __name__ == "__main__":
    arguments = (Path(sys.argv[1]), int(sys.argv[2]))
    if sys.argv[3:] == ["accelerate"]:
        # Its command starts one process where there are no GPUs, and no MPI.
        from accelerate import debug_launcher

        debug_launcher(main, arguments, num_processes=2)
    else:
        main(*arguments)
