"""Rows of a stream that several readers go through, computed once for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import tee
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class _Stopped:
    """Stands where the rows ended in a failure, so that every reader hears of it."""

    error: BaseException


class SharedRows:
    """Lets readers go through rows at their own pace; what lies between them is kept.

    What was kept for a reader is let go when nothing refers to the reader any more.
    """

    def __init__(self, rows: Iterable[Any]) -> None:
        self.rows = rows
        self._readers: WeakSet[Reader] = WeakSet()
        self._waiting: WeakKeyDictionary[Reader, Iterator[Any]] = WeakKeyDictionary()

    def reader(self) -> Reader:
        """Add a reader; all have to be there before the first begins."""
        reader = Reader(self)
        self._readers.add(reader)
        return reader

    def begin(self, reader: Reader) -> Iterator[Any]:
        """The rows that others read already, or are about to."""
        if reader not in self._waiting:
            if self._waiting:
                # Others have yet to read what this one read: it goes on alone.
                return iter(self.rows)
            readers = list(self._readers)
            copies = tee(_with_failure(iter(self.rows)), len(readers))
            self._waiting.update(zip(readers, copies, strict=True))
        return _raising(self._waiting.pop(reader))

    def __reduce__(self) -> tuple[object, ...]:
        return SharedRows, (self.rows,)


class Reader:
    """One of those who go through shared rows."""

    def __init__(self, shared: SharedRows) -> None:
        self.shared = shared

    def __iter__(self) -> Iterator[Any]:
        return self.shared.begin(self)

    def __reduce__(self) -> tuple[object, ...]:
        return SharedRows.reader, (self.shared,)

    def __repr__(self) -> str:
        return f"<shared {self.shared.rows!r}>"


def _with_failure(rows: Iterator[Any]) -> Iterator[Any]:
    try:
        yield from rows
    except GeneratorExit:
        raise
    except BaseException as error:  # noqa: BLE001  (each reader raises it)
        yield _Stopped(error)


def _raising(rows: Iterator[Any]) -> Iterator[Any]:
    for row in rows:
        if type(row) is _Stopped:
            raise row.error
        yield row
