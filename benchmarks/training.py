"""A step of the trainer beside one of a bare PyTorch loop: the same model and images.

    python benchmarks/training.py --rounds 5

Both do the same steps on images that are prepared already; what differs is what the
trainer does beside them: seeds, meters, the schedule, callbacks, accelerate.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from measure import in_turn, print_table
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset

from towhee.trainer.training import Training
from towhee.trainer.training_config import TrainingConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugin_spec import TrainableOperator

OPERATORS: Final = Path(__file__).parent.parent / "reference_operators"
sys.path.insert(0, str(OPERATORS / "image-embedding" / "timm"))
CLASSES: Final = tuple(str(number) for number in range(10))
BATCH: Final = 32
TARGET: Final = 1.1


class Images(TensorDataset):
    """Prepared images with labels."""

    classes = CLASSES

    def __init__(self, count: int, side: int) -> None:
        numbers = torch.Generator().manual_seed(0)
        self.labels = torch.arange(count) % len(CLASSES)
        super().__init__(
            torch.randn(count, 3, side, side, generator=numbers), self.labels
        )


def bare(make: Callable[[], TrainableOperator], images: Images) -> None:
    """One epoch as anybody would write it."""
    torch.manual_seed(0)
    trainee = make().trainee(CLASSES)
    assert trainee.head is not None
    model = torch.nn.Sequential(trainee.network, trainee.head).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(images, batch_size=BATCH, shuffle=True, drop_last=True)
    steps = len(loader)
    schedule = LambdaLR(optimizer, lambda step: 1 - step / steps)
    loss_of, total = torch.nn.CrossEntropyLoss(), 0.0
    for batch, labels in loader:
        loss = loss_of(model(batch), labels)
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        total += loss.item()


def ours(make: Callable[[], TrainableOperator], images: Images, folder: str) -> None:
    """The same by the trainer; nothing is written, for the loop writes nothing."""
    config = TrainingConfig(
        output_dir=folder,
        batch_size=BATCH,
        epoch_num=1,
        lr=1e-3,
        device_str="cpu",
        tensorboard=None,
        model_checkpoint=None,
    )
    with redirect_stderr(StringIO()):
        Training(make(), config, images).fit()


def main() -> None:
    """Print a table for each model, and say whether the target is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40)
    arguments = parser.parse_args()
    from timm_embedding import TimmEmbedding  # noqa: PLC0415  (its folder is known now)

    # Of short steps there are more: what a training does once is no part of a step.
    models: dict[str, tuple[int, dict[str, Any]]] = {
        "test_resnet": (10, {"input_size": 32}),
        "resnet18": (1, {"input_size": 64}),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, (times, options) in models.items():
            count = BATCH * arguments.steps * times
            images = Images(count, options["input_size"])

            def make(name: str = name, options: Any = options) -> TimmEmbedding:  # noqa: ANN401
                return TimmEmbedding(model_name=name, pretrained=False, **options)

            rows = in_turn(
                {
                    "bare loop": lambda make=make, images=images: bare(make, images),
                    "towhee": lambda make=make, images=images: ours(
                        make, images, folder
                    ),
                },
                rounds=arguments.rounds,
            )
            print_table(f"training {name}", rows, count=count // BATCH)
            ratio = rows[-1].ratio
            verdict = "within" if ratio <= TARGET else "above"
            print(f"\n{ratio:.2f}: {verdict} {TARGET}")


if __name__ == "__main__":
    main()
