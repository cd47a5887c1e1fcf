"""Neighbouring rows: batches that follow each other, and windows that overlap."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Batches:
    """Lists of ``size`` rows that follow each other; the last one may be shorter."""

    size: int
    drop_tail: bool = False

    def __call__(self, rows: Iterator[Any]) -> Iterator[list[Any]]:
        """Pull a batch, and no row more, for each one asked for.

        >>> list(Batches(2)(iter("abc")))
        [['a', 'b'], ['c']]
        """
        while batch := list(islice(rows, self.size)):
            if len(batch) == self.size or not self.drop_tail:
                yield batch


@dataclass(frozen=True, slots=True)
class Windows:
    """Lists of ``size`` rows, each of which begins ``step`` rows after the last."""

    size: int
    step: int = 1
    drop_head: bool = True
    drop_tail: bool = True

    def __call__(self, rows: Iterator[Any]) -> Iterator[list[Any]]:
        """Give windows as their last rows come.

        >>> list(Windows(2, drop_head=False, drop_tail=False)(iter("abc")))
        [['a'], ['a', 'b'], ['b', 'c'], ['c']]
        """
        window: list[Any] = []
        growing = not self.drop_head
        for row in rows:
            window.append(row)
            if len(window) == self.size:
                growing = False
                # What is given away belongs to its reader: go on with another list.
                full, window = window, window[self.step :]
                yield full
                if self.step > self.size:
                    between = self.step - self.size
                    next(islice(rows, between, between), None)
            elif growing:
                yield window.copy()
        while window and not self.drop_tail:
            shrunk, window = window, window[self.step :]
            yield shrunk
