"""Rows chosen and ordered by chance."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from math import ceil, floor
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Chance here is for statistics, not for secrets; a seed has to give the same rows.
# ruff: noqa: S311


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows, each with the same probability."""

    ratio: float
    seed: int | None = None

    def __call__(self, rows: Iterable[Any]) -> Iterator[Any]:
        """Give them in the order they have.

        >>> list(Sample(1)("abc")), list(Sample(0)("abc"))
        (['a', 'b', 'c'], [])
        """
        draw = Random(self.seed).random
        return (row for row in rows if draw() < self.ratio)


@dataclass(frozen=True, slots=True)
class Shuffled:
    """Rows in an order of chance."""

    seed: int | None = None
    buffer: int | None = None
    """How many rows are kept to choose from; None for all of them."""

    def __call__(self, rows: Iterator[Any]) -> Iterator[Any]:
        """Give each row once.

        >>> sorted(Shuffled(seed=1)(iter("abc")))
        ['a', 'b', 'c']
        """
        random = Random(self.seed)
        kept = list(islice(rows, self.buffer))
        for row in rows:
            place = random.randrange(len(kept))
            given, kept[place] = kept[place], row
            yield given
        random.shuffle(kept)
        yield from kept


@dataclass(frozen=True, slots=True)
class Split:
    """One of two parts, which are drawn alike, so that they share no row."""

    sizes: tuple[float, float]
    seed: int | None
    """None to leave the order as it is."""
    second: bool

    def __call__(self, rows: Iterable[Any]) -> list[Any]:
        """Give the rows of this part.

        >>> Split((0.5, 0.5), None, second=True)("abcd")
        ['c', 'd']
        """
        kept = list(rows)
        if self.seed is not None:
            Random(self.seed).shuffle(kept)
        # 0.29 of 100 is 29, whatever floating point makes of it.
        shares = [round(len(kept) * size, 9) for size in self.sizes]
        middle = floor(shares[0])
        return kept[middle : middle + ceil(shares[1])] if self.second else kept[:middle]
