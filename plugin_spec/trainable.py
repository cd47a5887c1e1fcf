"""The base class of operators whose model can be trained."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugin_spec.operator import ModelOperator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Trainee:
    """A model to train: a network that gives vectors, and a head that tells classes.

    :param network: a batch of what ``prepare`` gives, stacked, to (B, D).
    :param head: (B, D) to (B, len(classes)); None if nothing is to be classified.
    """

    network: nn.Module
    head: nn.Module | None = None
    classes: tuple[str, ...] = ()


class TrainableOperator(ModelOperator):
    """An operator whose vectors a trainer can make better.

    A trainer asks for a ``trainee``, trains that copy with what ``training_transform``
    makes of images, and gives it back with ``adopt``. Evaluation takes ``prepare``.
    """

    @property
    @abstractmethod
    def network(self) -> nn.Module:
        """The model up to where its vectors are taken: eager, float32, evaluating.

        It is the operator's own. Who changes it changes what the operator gives.
        """

    @property
    def classes(self) -> tuple[str, ...]:
        """What the head tells apart, by its outputs' order; empty without a head."""
        return ()

    @abstractmethod
    def trainee(self, classes: Sequence[str] = ()) -> Trainee:
        """Copy the network, with a head for ``classes``.

        The head is the operator's own if it tells these classes, otherwise a new one
        with weights from torch's generator. The copy lies on the CPU, in float32.
        """

    @abstractmethod
    def adopt(self, trainee: Trainee) -> None:
        """Embed with these weights from now on; not while ``predict`` runs."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what the constructor reads as ``checkpoint_path``.

        Weights, classes, preprocessing, and where vectors are taken.
        """

    @abstractmethod
    def restore(self, folder: Path) -> None:
        """Adopt what ``save`` wrote, by this operator with the same options."""

    def training_transform(
        self, augmentation: Mapping[str, Any] | None = None
    ) -> Callable[[Any], Tensor]:
        """What turns an image into an input of the network as it trains.

        :param augmentation: the operator's own options of that; by default none, and
            images are prepared as in evaluation.
        """
        del augmentation
        return self.prepare
