"""Batches in which several images are of one class: who compares needs pairs."""

from __future__ import annotations

import random
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from towhee.trainer.batches import Prepared


class ClassBatches:
    """Every image once an epoch, in groups of ``per_class`` that share a class.

    A class that fills no group gives some of its images again. Groups of one class
    lie apart, so that a batch has many; a last batch that is not full is left out.
    Accelerate reads ``batch_size`` and ``drop_last``.
    """

    drop_last: Final = True

    def __init__(
        self, prepared: Prepared, *, batch_size: int, per_class: int, seed: int
    ) -> None:
        self.batch_size = batch_size
        self._prepared, self._per_class, self._seed = prepared, per_class, seed
        self._members: dict[int, list[int]] = {}
        for index, label in enumerate(prepared.labels):
            self._members.setdefault(label, []).append(index)

    def __len__(self) -> int:
        size = self._per_class
        groups = sum(-(-len(each) // size) for each in self._members.values())
        return groups * size // self.batch_size

    def __iter__(self) -> Iterator[list[int]]:
        numbers = random.Random(f"{self._seed} {self._prepared.epoch}")  # noqa: S311
        turns = [self._groups(each, numbers) for each in self._members.values()]
        order: list[int] = []
        for turn in range(max(map(len, turns))):
            groups = [each[turn] for each in turns if turn < len(each)]
            numbers.shuffle(groups)
            order += [index for group in groups for index in group]
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield order[start : start + self.batch_size]

    def _groups(
        self, members: Sequence[int], numbers: random.Random
    ) -> list[list[int]]:
        size = self._per_class
        shuffled = numbers.sample(members, len(members))
        count = -(-len(members) // size)
        filled = list(islice(cycle(shuffled), count * size))
        return [filled[start : start + size] for start in range(0, len(filled), size)]
