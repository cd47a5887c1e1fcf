"""Rows of several chains, side by side or one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from towhee.columns import Entity, columns_of
from towhee.lineage import compute_once
from towhee.maybe import Empty, Some
from towhee.rows import DerivedRows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from towhee.chain import Chain


@dataclass(frozen=True, slots=True)
class Joined(DerivedRows):
    """Rows that several chains make."""

    chains: tuple[Chain, ...]

    def origins(self) -> tuple[Chain, ...]:
        """The chains."""
        return self.chains

    def over(self, chains: tuple[Chain, ...]) -> Iterable[Any]:
        """The same, of other chains."""
        return replace(self, chains=chains)


@dataclass(frozen=True, slots=True)
class Zipped(Joined):
    """Tuples of the rows of several chains; a failure among them takes their place."""

    strict: bool = False
    """Whether chains of different lengths are an error."""

    def __iter__(self) -> Iterator[Any]:
        uneven = "The collections have different numbers of rows"
        rows = (
            equally_long(self.chains, uneven)
            if self.strict
            else zip(*self.chains, strict=False)
        )
        safe = any(chain.is_safe for chain in self.chains)
        return map(_together, rows) if safe else rows

    def __repr__(self) -> str:
        return f"<a zip of {len(self.chains)}>"


@dataclass(frozen=True, slots=True)
class Concatenated(Joined):
    """The rows of one chain, then those of the next."""

    def __iter__(self) -> Iterator[Any]:
        compute_once(self.chains)
        return chain.from_iterable(self.chains)

    def __repr__(self) -> str:
        return f"<{len(self.chains)} in a row>"


def merged(rows: tuple[Any, ...]) -> Entity:
    """One row with the columns of all; of columns with one name, the last.

    >>> merged((Entity(a=1, b=2), Entity(b=3)))
    Entity(a=1, b=3)

    :raises MissingColumn: for a row without columns.
    """
    columns = (columns_of(row) for row in rows)
    return Entity(**{name: each[name] for each in columns for name in each})


def equally_long(
    several: Iterable[Iterable[Any]], uneven: str
) -> Iterator[tuple[Any, ...]]:
    """Tuples of one thing of each.

    >>> list(equally_long(["ab", "c"], "They differ"))
    Traceback (most recent call last):
    ...
    ValueError: They differ: argument 2 is shorter than argument 1

    :param uneven: what is wrong where one ends before another.
    """
    try:
        yield from zip(*several, strict=True)
    except ValueError as error:
        raise told(error, uneven) from None


def told(error: ValueError, uneven: str) -> ValueError:
    """What ``zip`` raised, in words of ours; any other error as it is."""
    words = str(error)
    if not words.startswith("zip() "):
        return error
    return ValueError(f"{uneven}: {words.removeprefix('zip() ')}")


def _together(rows: tuple[Any, ...]) -> Some | Empty:
    """Values out of their boxes, in one."""
    values = []
    for row in rows:
        if type(row) is Empty:
            return row
        values.append(row.value if type(row) is Some else row)
    return Some(tuple(values))
