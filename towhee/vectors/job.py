"""Filling a store: batches are committed with the number of the last row they cover."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Final

from plugin_spec.records import InvalidRecord
from plugin_spec.vector_stores import StoreMismatch
from towhee.binding import bind
from towhee.outcome import OperatorFailed
from towhee.sources import column_spaces
from towhee.vectors.checkpoint import Checkpoint
from towhee.vectors.fingerprints import describe_pipeline, without_changed
from towhee.vectors.source import Source, mark_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plugin_spec.records import Record
    from plugin_spec.vector_stores import InsertOperator
    from towhee.chain import Chain
    from towhee.outcome import Outcome
    from towhee.vectors.form import Form

_PATIENCE: Final = 10.0
"""Seconds of work that a kill may cost, if that is less than a batch."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a collection's rows."""

    rows: int
    """Source rows that are settled, in this run and before it."""
    records: int
    """Records written, in this run and before it.

    One that replaces another of the same id counts too: the store may hold fewer.
    """
    new: int
    """Records written in this run."""
    failed: tuple[OperatorFailed, ...] = ()
    """Failures of this run, which an ``exception_safe`` collection records."""


class Job:
    """One collection on its way into one store.

    :param name: of the method, for failures: `to_faiss`.
    :param place: of the store, for messages.
    :raises AnotherJob: if the store was begun with another pipeline.
    :raises SpacesDiffer: if it holds vectors of another space than the chain's.
    """

    def __init__(  # noqa: PLR0913  (what goes where, and how)
        self,
        chain: Chain,
        store: InsertOperator,
        form: Form,
        *,
        name: str,
        place: str,
        batch_size: int,
    ) -> None:
        self._chain, self._form = chain, form
        self._name, self._place, self._batch_size = name, place, batch_size
        self._bound = bind(chain.pipeline, chain.given())
        space = column_spaces(chain.made(), form.vector).get(form.vector)
        self._store = store if space is None else store.for_space(space)
        self._pipeline = describe_pipeline(self._bound)
        note = self._store.note()
        if note is None and self._store.exists:
            # Another program's records may have any number.
            self._form = replace(form, numbered=False)
        self._begun = Checkpoint.from_note(note)
        if self._begun is not None:
            self._begun.check_pipeline(place, self._pipeline)
            self._pipeline = without_changed(self._begun.pipeline, self._bound)
            self._form = replace(form, numbered=self._begun.numbered)
        self._source = Source(chain.rows)
        self._pending: list[tuple[int, Record]] = []
        self._failed: list[OperatorFailed] = []
        self._new = 0
        self._settled: tuple[int, object] | None = None
        self._committed = self.start - 1
        self._since = time.monotonic()

    @property
    def start(self) -> int:
        """The number of the first row that is not settled."""
        return 0 if self._begun is None else self._begun.row + 1

    def run(self, advance: Callable[[int], object]) -> Written:
        """Write every row that is not in the store yet.

        :param advance: is told how many more source rows are settled.
        :raises OperatorFailed: on a row that fails, once those before it are written;
            unless the collection is ``exception_safe``. What the source itself raises
            comes as late.
        :raises AnotherJob: if the source's rows are not those that were written.
        """
        if self._begun is not None:
            mark = self._source.skip(self._begun.row)
            self._begun.check_source(self._place, mark)
        advance(self.start)
        executor = self._chain.engine.executor()
        outcomes = executor.run(self._bound, self._source, start=self.start)
        with closing(outcomes):  # type: ignore[type-var]  # engines give generators
            unbroken = self._unbroken(outcomes, advance)
            for row, group in groupby(unbroken, key=lambda outcome: outcome.row):
                self._take(row, group)
                if self._is_due(row):
                    self._commit(advance)
        if (last := self._source.last()) is not None:
            self._settled = last
            self._commit(advance)
        if self._new:
            self._store.finish()
        return Written(
            self._committed + 1,
            self._new + (self._begun.records if self._begun else 0),
            self._new,
            tuple(self._failed),
        )

    def _unbroken(
        self, outcomes: Iterator[Outcome], advance: Callable[[int], object]
    ) -> Iterator[Outcome]:
        """The same; where their source breaks, what came before is written first."""
        try:
            yield from outcomes
        except Exception:
            self._commit(advance)
            raise

    def _take(self, row: int, group: Iterator[Outcome]) -> None:
        """Keep what a source row became, all of it or nothing."""
        origin = self._source.settle(row)
        taken: list[tuple[int, Record]] = []
        for number, outcome in enumerate(group):
            try:
                columns = self._form.record(
                    outcome.unwrap(), row=row, number=number, origin=origin
                )
                taken.append((row, self._store.prepare(columns)))
                if self._form.numbered is None:
                    self._form = self._form.decided_by(outcome.value)
            except OperatorFailed as error:
                self._fail(error)
            except InvalidRecord as error:
                self._fail(OperatorFailed(self._name, outcome.value, error, row=row))
        self._pending += taken
        self._settled = row, origin

    def _fail(self, error: OperatorFailed) -> None:
        if not self._bound.ends_safe:
            self._commit(lambda _: None)
            raise error
        self._failed.append(error)

    def _is_due(self, row: int) -> bool:
        waiting = max(len(self._pending), row - self._committed)
        late = time.monotonic() - self._since > _PATIENCE
        return waiting >= self._batch_size or late

    def _commit(self, advance: Callable[[int], object]) -> None:
        """Write what is pending, and how far that is."""
        if self._settled is None:
            return
        pending, self._pending = self._pending, []
        try:
            self._insert([record for _, record in pending])
        except (InvalidRecord, StoreMismatch):
            # One of them does not fit: the others do.
            for row, record in pending:
                self._insert_one(row, record)
            self._insert([])
        self._since = time.monotonic()
        advance(self._settled[0] - self._committed)
        self._committed = self._settled[0]

    def _insert_one(self, row: int, record: Record) -> None:
        try:
            self._store.insert([record])
            self._new += 1
        except (InvalidRecord, StoreMismatch) as error:
            failure = OperatorFailed(self._name, record.id, error, row=row)
            if not self._bound.ends_safe:
                raise failure from error
            self._failed.append(failure)

    def _insert(self, records: list[Record]) -> None:
        assert self._settled is not None
        row, origin = self._settled
        begun = self._begun
        self._pipeline = without_changed(self._pipeline, self._bound)
        checkpoint = Checkpoint(
            row,
            mark_of(origin),
            self._new + len(records) + (begun.records if begun else 0),
            len(self._failed) + (begun.failed if begun else 0),
            self._pipeline,
            self._form.numbered,
        )
        self._store.insert(records, note=checkpoint.to_note())
        self._new += len(records)
