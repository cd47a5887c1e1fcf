"""Rows that several readers go through, computed once for all of them."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import tee
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary, WeakSet

from towhee.rows import DerivedRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from towhee.chain import Chain
    from towhee.row_numbers import RowNumbers

_END: Final = object()


class GrowingRows:
    """Rows of a list while they are computed, once for all who go through them.

    When all have left before the end, or none could go on because computing failed,
    the next reader has them computed anew.
    """

    def __init__(
        self,
        compute: Callable[[RowNumbers | None], Iterator[Any]],
        settle: Callable[[list[Any] | None, RowNumbers | None], object],
        numbers: RowNumbers | None,
    ) -> None:
        """Compute nothing yet.

        :param settle: is given every row at the end, and None if there will be none.
        :param numbers: take those of the rows before these come.
        """
        self.numbers = numbers
        self._compute, self._settle = compute, settle
        self._source: Iterator[Any] | None = None
        self._rows: list[Any] = []
        self._error: BaseException | None = None
        self._is_complete = False
        self._readers = 0
        # A function that reads the rows it makes fails, rather than wait for itself.
        self._lock = threading.RLock()

    def __iter__(self) -> Iterator[Any]:
        with self._lock:
            self._readers += 1
        # Written out: a call for each row would take longer than many a function.
        rows, number, lock = self._rows, 0, self._lock
        try:
            with lock:
                if self._source is None:
                    self._source = self._compute(self.numbers)
            while True:
                if number == len(rows):
                    with lock:
                        if number == len(rows):
                            row = next(self._source, _END)
                            if row is _END:
                                self._end()
                                return
                            rows.append(row)
                yield rows[number]
                number += 1
        except GeneratorExit:
            raise
        except BaseException as error:
            # What failed has ended, and would seem complete.
            self._error, self._source = error, iter(())
            raise
        finally:
            self._leave()

    def _end(self) -> None:
        if self._error is not None:
            raise self._error
        if not self._is_complete:
            self._is_complete = True
            self._settle(self._rows, self.numbers)

    def _leave(self) -> None:
        with self._lock:
            self._readers -= 1
            if self._readers or self._is_complete:
                return
            # No thread or process stays of what nobody waits for.
            if isinstance(self._source, Generator):
                self._source.close()
            self._source = self._error = None
            self._rows.clear()
            if self.numbers is not None:
                del self.numbers.marks[:]
            self._settle(None, None)


@dataclass(frozen=True, slots=True)
class _Stopped:
    """Stands where the rows ended in a failure, so that every reader hears of it."""

    error: BaseException


class SharedRows:
    """Lets readers go through rows at their own pace; what lies between them is kept.

    What was kept for a reader is let go when nothing refers to the reader any more.
    """

    def __init__(self, rows: Chain) -> None:
        self.rows = rows
        # A row that needs itself fails, rather than wait.
        self._lock = threading.RLock()
        self._readers: WeakSet[Reader] = WeakSet()
        self._waiting: WeakKeyDictionary[Reader, Iterator[Any]] = WeakKeyDictionary()

    def reader(self) -> Reader:
        """Add a reader; all have to be there before the first begins."""
        reader = Reader(self)
        self._readers.add(reader)
        return reader

    def begin(self, reader: Reader) -> Iterator[Any]:
        """The rows that others read already, or are about to."""
        with self._lock:
            waiting = self.take(reader)
            return iter(self.rows) if waiting is None else self._raising(waiting)

    def take(self, reader: Reader) -> Iterator[Any] | None:
        """What waits for a reader; None if it goes on alone, as it did before."""
        with self._lock:
            if reader not in self._waiting:
                if self._waiting:
                    # Others have yet to read what this one read.
                    return None
                readers = list(self._readers)
                copies = tee(_with_failure(iter(self.rows)), len(readers))
                self._waiting.update(zip(readers, copies, strict=True))
            return self._waiting.pop(reader)

    def give_back(self, reader: Reader, rows: Iterator[Any]) -> None:
        """Let rows that were taken wait for the reader again."""
        with self._lock:
            self._waiting[reader] = rows

    def _raising(self, rows: Iterator[Any]) -> Iterator[Any]:
        while True:
            # Readers may be in several threads, and `tee` is for one.
            with self._lock:
                row = next(rows, _END)
            if row is _END:
                return
            if type(row) is _Stopped:
                raise row.error
            yield row

    def __reduce__(self) -> tuple[object, ...]:
        return SharedRows, (self.rows,)


class Reader(DerivedRows):
    """One of those who go through shared rows."""

    def __init__(self, shared: SharedRows) -> None:
        self.shared = shared

    def origins(self) -> tuple[Chain, ...]:
        """The chain that is shared."""
        return (self.shared.rows,)

    def over(self, _chains: tuple[Chain, ...]) -> Reader:
        """The same reader: others may have read the rows, and wait for it."""
        return self

    def __iter__(self) -> Iterator[Any]:
        return self.shared.begin(self)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Rows that are pulled meanwhile wait for this reader afterwards."""
        shared = self.shared
        rows = shared.take(self)
        if rows is None:
            yield
            return
        seen, left = tee(rows)
        shared.give_back(self, seen)
        try:
            yield
        finally:
            shared.give_back(self, left)

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
