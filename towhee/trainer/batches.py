"""Images as the network takes them, in an order that the seed and the epoch decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from towhee.trainer.class_batches import ClassBatches
from towhee.trainer.errors import CannotTrain
from towhee.trainer.metric_learning import LOSSES
from towhee.trainer.randomness import seed_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Sized

    from torch import Tensor
    from torch.utils.data import DataLoader

    from towhee.data.samples import Samples
    from towhee.trainer.training_config import TrainingConfig


class Prepared:
    """Samples with what a transform makes of each image; what varies is seeded.

    Images that are tensors already were prepared by the samples' own transform.
    """

    def __init__(
        self, samples: Samples, transform: Callable[[Any], Tensor], seed: int
    ) -> None:
        self._samples, self._transform, self._seed = samples, transform, seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self._samples)

    @property
    def labels(self) -> tuple[int, ...]:
        """Of every sample; images are read where there is no other way."""
        known = self._samples.labels
        return tuple(label for _, label in self._samples) if known is None else known

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        (sample,) = self.__getitems__([index])
        return sample

    def __getitems__(self, indexes: Sequence[int]) -> list[tuple[Tensor, int]]:
        """One batch, by torch's name for it."""
        seed_all(self._seed, self.epoch, indexes[0])
        return [self._prepared(index) for index in indexes]

    def _prepared(self, index: int) -> tuple[Tensor, int]:
        import torch

        image, label = self._samples[index]
        if isinstance(image, torch.Tensor):
            return image, label
        return self._transform(image), label


def check_enough(samples: Sized, config: TrainingConfig) -> None:
    """Ask whether there are images for a batch, as far as their number says.

    A loss that compares vectors asks by their labels, once they are read.

    :raises CannotTrain: if there would be none.
    """
    drops = config.dataloader_drop_last and config.loss not in LOSSES
    if drops and len(samples) < config.batch_size:
        raise CannotTrain(
            f"{len(samples)} images fill no batch of {config.batch_size}",
            hint="Set a smaller `batch_size`, or `dataloader_drop_last` to false",
        )


def training_batches(prepared: Prepared, config: TrainingConfig) -> DataLoader[Any]:
    """Shuffled; accelerate decides the order by seed and epoch.

    A loss that compares vectors has several images of a class in each batch.

    :raises CannotTrain: if such a loss would have no batch.
    """
    if config.loss in LOSSES:
        return _compared(prepared, config)
    return _loader(
        prepared,
        config,
        batch_size=config.batch_size,
        shuffle=True,
        drop_last=config.dataloader_drop_last,
    )


def _compared(prepared: Prepared, config: TrainingConfig) -> DataLoader[Any]:
    batches = ClassBatches(
        prepared,
        batch_size=config.batch_size,
        per_class=config.images_per_class,
        seed=config.seed,
    )
    if not len(batches):
        raise CannotTrain(
            f"{len(prepared)} images fill no batch of {config.batch_size}",
            hint="Set a smaller `batch_size`",
        )
    return _loader(prepared, config, batch_sampler=batches)


def evaluation_batches(prepared: Prepared, config: TrainingConfig) -> DataLoader[Any]:
    """In the samples' order, every one of them."""
    size = config.batch_size if config.val_batch_size == -1 else config.val_batch_size
    return _loader(prepared, config, batch_size=size)


def _loader(prepared: Any, config: TrainingConfig, **options: Any) -> DataLoader[Any]:  # noqa: ANN401
    import torch
    from torch.utils.data import DataLoader

    return DataLoader(
        prepared,
        num_workers=config.dataloader_num_workers,
        # Without a GPU there is nothing to pin for, and torch warns.
        pin_memory=config.dataloader_pin_memory and torch.cuda.is_available(),
        **options,
    )
