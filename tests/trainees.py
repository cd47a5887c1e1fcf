"""An operator small enough to be trained hundreds of times a minute."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from plugin_spec import TrainableOperator, Trainee
from towhee.data import Samples

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

CLASSES = ("left", "right", "middle")


class Small(TrainableOperator):
    """Eight numbers to eight, with everything that makes a step depend on others."""

    def __init__(self, *, dropout: float = 0.2) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self._network = nn.Sequential(
                nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(dropout), nn.ReLU()
            ).eval()
        self._head: nn.Module | None = None
        self._classes: tuple[str, ...] = ()

    @property
    def network(self) -> nn.Module:
        return self._network

    @property
    def classes(self) -> tuple[str, ...]:
        return self._classes

    def trainee(self, classes: Sequence[str] = ()) -> Trainee:
        head = nn.Linear(8, len(classes)) if classes else None
        return Trainee(deepcopy(self._network), head, tuple(classes))

    def adopt(self, trainee: Trainee) -> None:
        self._network = deepcopy(trainee.network).eval()
        self._head, self._classes = deepcopy(trainee.head), trainee.classes

    def save(self, folder: Path) -> None:
        save_file(self._network.state_dict(), folder / "model.safetensors")

    def restore(self, folder: Path) -> None:
        self._network.load_state_dict(load_file(folder / "model.safetensors"))

    def describe(self) -> dict[str, Any]:
        return {"model": "small", "weights": "sha256:none"}

    def prepare(self, image: Sequence[float]) -> torch.Tensor:
        return torch.tensor(image, dtype=torch.float32)

    def training_transform(
        self, augmentation: Mapping[str, Any] | None = None
    ) -> Callable[[Any], torch.Tensor]:
        noise = (augmentation or {}).get("noise", 0.0)
        return lambda image: self.prepare(image) + noise * torch.randn(8)

    def predict(self, batch: Sequence[torch.Tensor]) -> list[Any]:
        with torch.inference_mode():
            return list(self._network(torch.stack(tuple(batch))).numpy())

    @property
    def weights(self) -> torch.Tensor:
        """All of them, one after another, buffers too."""
        states = [self._network.state_dict()]
        if self._head is not None:
            states.append(self._head.state_dict())
        return torch.cat(
            [each.double().flatten() for state in states for each in state.values()]
        )


def points(count: int, seed: int = 0) -> Samples:
    """Rows whose class is where their greatest number lies."""
    numbers = torch.Generator().manual_seed(seed)
    rows = torch.randn(count, 8, generator=numbers)
    labels = rows[:, :3].argmax(dim=1).tolist()
    pairs = list(zip(rows.tolist(), labels, strict=True))
    return Samples("points", pairs, CLASSES, labels=tuple(labels))
