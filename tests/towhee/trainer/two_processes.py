"""One of several processes that train together; torchrun starts it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import torch
from trainees import Small, points

from towhee.trainer.callbacks import Callback
from towhee.trainer.training import Training
from towhee.trainer.training_config import TrainingConfig


class WorldSize(Callback):
    """Asks torch how many there are, and how many of them call this."""

    found = 0

    def on_train_begin(self, run: object) -> None:
        del run
        distributed = torch.distributed
        together = distributed.is_available() and distributed.is_initialized()
        self.found = distributed.get_world_size() if together else 1


def main(folder: Path) -> None:
    """Train, and write what this process came to."""
    config = TrainingConfig(**json.loads((folder / "config.json").read_text()))
    config.output_dir = str(folder / "out")
    operator, world = Small(dropout=0.0), WorldSize()
    training = Training(operator, config, points(24), points(9, seed=1), [world])
    result = training.start()
    figures = {
        "world": world.found,
        "weights": operator.weights.tolist(),
        "history": list(result.history),
    }
    rank = os.environ.get("RANK", "0")
    (folder / f"rank-{rank}.json").write_text(json.dumps(figures))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
