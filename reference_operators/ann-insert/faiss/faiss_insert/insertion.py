"""The operator: a batch is a file of vectors, and one transaction."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plugin_spec.records import (
    InvalidRecord,
    check_columns,
    check_scale,
    columns_of,
    unit_vector,
)
from plugin_spec.vector_stores import InsertOperator, check_store, last_of_each

from .catalogue import Catalogue
from .segments import merge_small, write_segment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plugin_spec.records import Record, Vector
    from plugin_spec.spaces import EmbeddingSpace

    from .catalogue import Made, Writer


class FaissInsert(InsertOperator):
    """Put records into a folder; every option has a page in ``operator.yaml``."""

    def __init__(
        self,
        *,
        path: str,
        metric: str | None = None,
        id: str = "id",  # noqa: A002  (the column's name)
        vector: str = "vector",
        batch_size: int = 256,
    ) -> None:
        self._folder = Path(path)
        self._metric = metric
        self.id_column, self.vector_column = id, vector
        self.batch_size = batch_size
        if (made := self._catalogue.read()) is not None:
            check_store(path, metric=metric, made_with=made.metric)
            self._metric = made.metric

    def prepare(self, record: object) -> Record:
        """Check one record."""
        parsed = super().prepare(record)
        if self._metric == "cosine":
            unit_vector(parsed.vector)
        else:
            check_scale(parsed.vector)
        return parsed

    def insert(
        self, records: Sequence[Record], *, note: Mapping[str, object] | None = None
    ) -> None:
        """Write a file of vectors; the transaction that follows makes it count."""
        merged: list[str] = []
        with self._catalogue.writing() as writer:
            if records:
                self._add(writer, last_of_each(records))
                merged = merge_small(self._folder, writer)
            if note is not None:
                writer.note(note)
        self._remove(merged)

    @property
    def place(self) -> str:
        """The folder."""
        return str(self._folder)

    @property
    def held_space(self) -> EmbeddingSpace | None:
        """The space that the catalogue names."""
        return self._catalogue.space()

    def note(self) -> Mapping[str, object] | None:
        """What was noted last."""
        return self._catalogue.noted()

    @property
    def exists(self) -> bool:
        """Whether a first record was written."""
        return self._catalogue.read() is not None

    def finish(self) -> None:
        """Merge all vectors into one file."""
        with self._catalogue.writing() as writer:
            merged = merge_small(self._folder, writer, fewest=2)
        self._remove(merged)

    def describe(self) -> dict[str, Any]:
        """Where the records go."""
        return {"path": str(self._folder), "metric": self._metric}

    def _add(self, writer: Writer, records: Sequence[Record]) -> None:
        made = writer.made or self._make(writer, records)
        # The transaction is the only one: another may have made the store meanwhile.
        self.check_space(writer.space)
        for record in records:
            check_store(
                str(self._folder),
                metric=self._metric,
                made_with=made.metric,
                length=len(record.vector),
                expected=made.length,
            )
        check_columns(records, made.columns)
        vectors = _matrix(records, made.metric)
        writer.add(
            records, write_segment(self._folder, writer.next, vectors, made.metric)
        )

    def _make(self, writer: Writer, records: Sequence[Record]) -> Made:
        columns = columns_of(records)
        _check_names([self.id_column, *columns])
        return writer.make(
            self.given_space,
            metric=self._metric or "L2",
            length=len(records[0].vector),
            columns=columns,
            id_column=self.id_column,
        )

    def _remove(self, files: Sequence[str]) -> None:
        for file in files:
            (self._folder / file).unlink(missing_ok=True)

    @property
    def _catalogue(self) -> Catalogue:
        return Catalogue(self._folder)


def _check_names(names: Sequence[str]) -> None:
    """Refuse columns that are one to SQLite."""
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(name.lower(), name)) != name:
            raise InvalidRecord(
                f"The columns `{other}` and `{name}` differ in case alone",
                hint="Rename one: SQLite does not tell them apart",
            )


def _matrix(records: Sequence[Record], metric: str) -> Vector:
    vectors = [record.vector for record in records]
    if metric == "cosine":
        vectors = [unit_vector(vector) for vector in vectors]
    return np.stack(vectors)
