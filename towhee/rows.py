"""Where a collection's rows come from."""

from __future__ import annotations

import glob
import os
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugin_spec.errors import HubError
from towhee.maybe import Empty, Some
from towhee.outcome import Brief

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from towhee.chain import Chain
    from towhee.sources import Known


class SourcedRows:
    """Rows that are known to hold vectors of certain spaces."""

    __slots__ = ()

    def made(self) -> Known:
        """What made the vectors, by column; no row is computed for it."""
        return {}

    def trainings(self) -> tuple[int, ...]:
        """How often what makes the rows was trained: rows from before are others."""
        return ()


class DerivedRows(SourcedRows, Iterable[Any]):
    """Rows that are made of those of other chains."""

    __slots__ = ()

    def origins(self) -> tuple[Chain, ...]:
        """Those chains, in the order in which a person reads them."""
        raise NotImplementedError

    def over(self, chains: tuple[Chain, ...]) -> Iterable[Any]:
        """What these rows would be, made of as many other chains."""
        raise NotImplementedError

    def trainings(self) -> tuple[int, ...]:
        """How often what makes the chains' rows was trained."""
        return tuple(count for each in self.origins() for count in each.trainings())


class EmptyGlob(HubError, FileNotFoundError):
    """No file matches any of the patterns."""


class StreamConsumed(HubError, RuntimeError):
    """A stream over an iterator was read a second time."""


class OneTimeRows:
    """Rows that an iterator gives: a second reader is told that none are left."""

    def __init__(self, iterator: Iterator[object]) -> None:
        self._iterator = iterator
        self._name = type(iterator).__name__
        self._taken = False

    def __iter__(self) -> Iterator[object]:
        if self._taken:
            raise StreamConsumed(
                "This stream was read before, and its iterator gives each row once",
                hint="Call `unstream()` on it first: that keeps the rows",
            )
        self._taken = True
        return self._iterator

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Rows that are pulled meanwhile are there again afterwards."""
        if self._taken:
            # Who reads them is told that they are gone.
            yield
            return
        iterator, pulled = self._iterator, list[object]()

        def remembered() -> Iterator[object]:
            nonlocal iterator
            try:
                for row in iterator:
                    pulled.append(row)
                    yield row
            except Exception as error:
                # It has ended, and would hide from the next reader that it failed.
                iterator = _failing(error)
                raise

        self._iterator = remembered()
        try:
            yield
        finally:
            self._iterator, self._taken = chain(pulled, iterator), False

    def __repr__(self) -> str:
        return f"<{self._name}>"


class KeptRows:
    """Rows that come once, remembered as they are pulled: each reader gets them all."""

    def __init__(self, rows: OneTimeRows | DerivedRows) -> None:
        self._rows = rows
        self._source: Iterator[object] | None = None
        self._kept: list[object] = []
        self._error: Exception | None = None
        # A function that reads the rows it makes fails, rather than wait for itself.
        self._pulling = threading.RLock()

    def __iter__(self) -> Iterator[object]:
        number = 0
        while number < len(self._kept) or self._pull(number):
            yield self._kept[number]
            number += 1

    def _pull(self, number: int) -> bool:
        """Whether there is a row of that number now."""
        with self._pulling:
            if number < len(self._kept):
                return True
            if self._error is not None:
                # An iterator that failed has ended, and would hide that it did.
                raise self._error
            try:
                self._source = self._source or iter(self._rows)
                self._kept.append(next(self._source))
            except StopIteration:
                return False
            except Exception as error:
                self._error = error
                raise
            return True

    def __repr__(self) -> str:
        return repr(self._rows)


class KeptDerivedRows(DerivedRows):
    """Rows made of an iterator's: as it gives those once, these are remembered."""

    def __init__(self, rows: DerivedRows) -> None:
        self._rows, self._kept = rows, KeptRows(rows)

    def made(self) -> Known:
        """As the rows say."""
        return self._rows.made()

    def origins(self) -> tuple[Chain, ...]:
        """As the rows say."""
        return self._rows.origins()

    def over(self, _chains: tuple[Chain, ...]) -> KeptDerivedRows:
        """The same: what the iterator gave is gone elsewhere."""
        return self

    def __iter__(self) -> Iterator[object]:
        return iter(self._kept)

    def __repr__(self) -> str:
        return repr(self._rows)


@dataclass(frozen=True, slots=True)
class Rearranged(DerivedRows):
    """Rows of a chain in another number or order."""

    chain: Chain
    name: object
    """Whose text says what was done, as in ``batch(2)``."""
    rearrange: Callable[[Iterator[Any]], Iterable[Any]]
    boxed: bool = False
    """Whether it is given a safe chain's ``Some`` and ``Empty``, rather than values."""
    keeps: bool = False
    """Whether what comes out are some of the rows, as they were."""

    def made(self) -> Known:
        """What the chain's rows are known by, if they come out as they were."""
        return self.chain.made() if self.keeps else {}

    def origins(self) -> tuple[Chain, ...]:
        """The chain."""
        return (self.chain,)

    def over(self, chains: tuple[Chain, ...]) -> Iterable[Any]:
        """The same, of another chain."""
        return replace(self, chain=chains[0])

    def __iter__(self) -> Iterator[Any]:
        rows = iter(self.chain)
        if self.chain.is_safe and not self.boxed:
            return _around_failures(rows, self.rearrange)
        return iter(self.rearrange(rows))

    def __repr__(self) -> str:
        calls = f".{self.chain.pipeline}" if self.chain.pipeline.calls else ""
        rows = self.chain.rows
        source = repr(rows) if isinstance(rows, Rearranged) else Brief().repr(rows)
        return f"<{source}{calls}.{self.name}>"


@dataclass(frozen=True, slots=True)
class FirstRows(DerivedRows):
    """The first rows of a collection; no more of its source is read than they need."""

    chain: Chain
    count: int

    def made(self) -> Known:
        """What the chain's rows are known by."""
        return self.chain.made()

    def origins(self) -> tuple[Chain, ...]:
        """The chain."""
        return (self.chain,)

    def over(self, chains: tuple[Chain, ...]) -> Iterable[Any]:
        """The same, of another chain."""
        return replace(self, chain=chains[0])

    def __iter__(self) -> Iterator[object]:
        return self.chain.first(self.count)

    def __repr__(self) -> str:
        return f"<the first {self.count}>"


def _failing(error: Exception) -> Iterator[object]:
    yield from ()
    raise error


def _around_failures(
    rows: Iterator[Any], rearrange: Callable[[Iterator[Any]], Iterable[Any]]
) -> Iterator[Any]:
    """Rearrange values; what failed goes past, before the next value comes out."""
    failed: deque[Empty] = deque()

    def values() -> Iterator[Any]:
        for row in rows:
            if isinstance(row, Empty):
                failed.append(row)
            else:
                yield row.value

    for value in rearrange(values()):
        while failed:
            yield failed.popleft()
        yield Some(value)
    yield from failed


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows by number: one for a number, a list for several."""

    collection: Any

    def __call__(self, rows: Any) -> Any:  # noqa: ANN401  (what rows hold)
        """Select; what is no number fails with its row."""
        if hasattr(rows, "__iter__"):
            return [self.collection[row] for row in rows]
        return self.collection[rows]


def matching_files(patterns: tuple[str | os.PathLike[str], ...]) -> list[str]:
    """Every file that matches, sorted; ``**`` matches folders at any depth.

    :raises EmptyGlob: if there is none, naming the patterns and where they start.
    """
    texts = [os.fspath(pattern) for pattern in patterns]
    # Not Path.glob: a pattern may be absolute, and paths keep the form it has.
    paths = {path for text in texts for path in glob.iglob(text, recursive=True)}  # noqa: PTH207
    files = sorted(path for path in paths if Path(path).is_file())
    if not files:
        listed = " or ".join(f"`{text}`" for text in texts) or "no pattern"
        missing = [folder for folder in map(_start, texts) if not folder.is_dir()]
        raise EmptyGlob(
            f"No file matches {listed} in `{Path.cwd()}`",
            hint=f"There is no folder `{missing[0]}`" if missing else None,
        )
    return files


def is_sized(rows: object) -> bool:
    """Whether rows have a length and numbers, as those of a list do."""
    numbered = hasattr(rows, "__len__") and hasattr(rows, "__getitem__")
    return numbered and not isinstance(rows, Mapping)


def _start(pattern: str) -> Path:
    """The folder that a pattern names before its first wildcard."""
    parts = Path(pattern).parts[:-1]
    plain = (index for index, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[: next(plain, len(parts))])
