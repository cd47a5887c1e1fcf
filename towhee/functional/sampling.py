"""Rows left to chance, which a seed makes the same chance every time."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from towhee.drawing import Sample, Shuffled, Split
from towhee.functional import limits
from towhee.functional.core import Core
from towhee.functional.limits import fraction, whole

if TYPE_CHECKING:
    from typing import Self

_BUFFER = 1024


class Sampling(Core):
    """Draw, shuffle and split."""

    __slots__ = ()

    def sample(self, ratio: float = 1.0, seed: int | None = None) -> Self:
        """Keep each row with the probability ``ratio``, in the order they have.

        >>> DataCollection.range(1000).sample(0.01, seed=7).to_list()
        [...]

        :param seed: for the same rows from run to run of a program; without it a list
            is drawn once, here, and a stream whenever it is read.
        :raises ValueError: at once, if ``ratio`` is not from 0 to 1, or ``seed`` is no
            whole number.
        """
        sample = Sample(fraction("ratio", ratio), self._drawn(seed))
        return self.rearranged(f"sample({ratio})", sample, boxed=True, keeps=True)

    def shuffle(self, seed: int | None = None, *, buffer: int = _BUFFER) -> Self:
        """Put rows in an order of chance.

        >>> DataCollection([1, 2, 3, 4]).shuffle(seed=1).to_list()
        [...]

        A stream keeps no more than ``buffer`` rows: each time, one of these is given
        and the next row takes its place. So a row comes at most that much too early.

        :param seed: as for ``sample``.
        :raises ValueError: at once, if ``buffer`` is less than 1.
        """
        kept = whole("buffer", buffer)
        shuffled = Shuffled(self._drawn(seed), kept if self.is_stream else None)
        return self.rearranged("shuffle()", shuffled, boxed=True, keeps=True)

    def split_train_test(
        self,
        size: tuple[float, float] = (0.9, 0.1),
        *,
        shuffle: bool = True,
        seed: int | None = None,
    ) -> tuple[Self, Self]:
        """Two collections of different rows, to learn from and to judge by.

        >>> train, test = DataCollection(range(10)).split_train_test(shuffle=False)
        >>> train.to_list(), test.to_list()
        ([0, 1, 2, 3, 4, 5, 6, 7, 8], [9])

        Rows are computed once for both, and kept, those of a stream as well.

        :param size: their shares, of which the first is rounded down, the other up.
        :raises ValueError: at once, if they are no shares, or more than the whole.
        """
        given: object = size
        if not isinstance(given, tuple | list) or len(given) != 2:  # noqa: PLR2004  (two parts)
            raise ValueError(f"size is {size!r}, and has to be two shares: (0.9, 0.1)")
        for share in size:
            fraction("size", share)
        fraction("the sum of size", round(sum(size), 9))
        seed = limits.seed(seed)
        if not shuffle:
            seed = None
        elif seed is None:
            seed = _chance()  # Both have to draw alike.
        kept = type(self)(self._chain.unstream().share())
        train, test = (
            kept.rearranged(
                name, Split(size, seed, second=second), boxed=True, keeps=True
            )
            for name, second in (("train", False), ("test", True))
        )
        return train, test

    def _drawn(self, seed: int | None) -> int | None:
        """The seed, or one for rows that stay what they are, however one looks."""
        seed = limits.seed(seed)
        stays = not self.is_stream or self._chain.begins_once()
        return _chance() if seed is None and stays else seed


def _chance() -> int:
    return random.randrange(2**63)  # noqa: S311  (for statistics)
