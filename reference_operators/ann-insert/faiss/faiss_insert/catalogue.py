"""What a store holds, in SQLite: a file of vectors counts once it is written here."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.records import storable
from plugin_spec.spaces import EmbeddingSpace
from plugin_spec.vector_stores import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from plugin_spec.records import Record

_FORMAT: Final = 1
_PATIENCE: Final = 60.0
"""Seconds to wait for another process that writes."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a store was made for; it never changes."""

    metric: str
    length: int
    columns: Mapping[str, str]
    id_column: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A file of vectors, and the positions that they have."""

    first: int
    count: int
    file: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The file ``records.sqlite`` of a store's folder."""

    folder: Path

    def read(self) -> Made | None:
        """What the store was made for; None if there is none yet."""
        if not self._exists:
            return None
        with self._open() as connection:
            return Writer(connection).made

    def space(self) -> EmbeddingSpace | None:
        """The space that its vectors are of; None if it does not say."""
        if not self._exists:
            return None
        with self._open() as connection:
            return Writer(connection).space

    def noted(self) -> dict[str, Any] | None:
        """The note that was committed last."""
        if not self._exists:
            return None
        with self._open() as connection:
            note: dict[str, Any] | None = _settings(connection).get("note")
            return note

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """One transaction: everything is written, or nothing."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            said = f"Cannot write to `{self.folder}`: {error.strerror}"
            raise StoreUnavailable(said) from error
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Writer(connection)
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    @property
    def _exists(self) -> bool:
        return (self.folder / "records.sqlite").exists()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        path = self.folder / "records.sqlite"
        try:
            with closing(sqlite3.connect(path, timeout=_PATIENCE)) as connection:
                connection.isolation_level = None
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS store (key PRIMARY KEY, value)"
                )
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS segments "
                    "(first INTEGER PRIMARY KEY, count INTEGER, file TEXT)"
                )
                yield connection
        except sqlite3.DatabaseError as error:
            raise StoreUnavailable(f"Cannot use `{path}`: {error}") from error


@dataclass(frozen=True, slots=True)
class Writer:
    """A transaction that is under way."""

    connection: sqlite3.Connection

    @property
    def made(self) -> Made | None:
        """What the store was made for."""
        settings = _settings(self.connection)
        return Made(**settings["made"]) if "made" in settings else None

    @property
    def space(self) -> EmbeddingSpace | None:
        """The space of the vectors, as it was said when the store was made."""
        said = _settings(self.connection).get("space")
        return None if said is None else EmbeddingSpace.from_dict(said)

    @property
    def segments(self) -> list[Segment]:
        """Every file of vectors, in the order of positions."""
        rows = self.connection.execute("SELECT * FROM segments ORDER BY first")
        return [Segment(*row) for row in rows]

    @property
    def next(self) -> int:
        """The position that the next vector gets."""
        last = self.segments[-1:]
        return last[0].first + last[0].count if last else 0

    def make(self, space: EmbeddingSpace | None, **made: Any) -> Made:  # noqa: ANN401  (fields of Made)
        """Decide what the store is for."""
        if space is not None:
            self._set("space", space.to_dict())
        names = [f'"{name}"' for name in (made["id_column"], *made["columns"])]
        self.connection.execute(
            f"CREATE TABLE records (_position INTEGER PRIMARY KEY, {', '.join(names)}, "
            f"UNIQUE ({names[0]}))"
        )
        self._set("format", _FORMAT)
        self._set("made", made)
        return Made(**made)

    def add(self, records: Sequence[Record], file: str) -> None:
        """Let records have the file's vectors; those they replace are found no more."""
        made, first = self.made, self.next
        assert made is not None
        names = [f'"{name}"' for name in (made.id_column, *made.columns)]
        places = ", ".join("?" * (len(names) + 1))
        self.connection.executemany(
            f"INSERT OR REPLACE INTO records (_position, {', '.join(names)}) "  # noqa: S608  (names were checked)
            f"VALUES ({places})",
            [
                (
                    first + number,
                    record.id,
                    *(
                        _stored(record.metadata.get(name), kind)
                        for name, kind in made.columns.items()
                    ),
                )
                for number, record in enumerate(records)
            ],
        )
        self._add_segment(Segment(first, len(records), file))

    def merge(self, run: Sequence[Segment], file: str) -> None:
        """Let one file stand for neighbouring ones."""
        for segment in run:
            self.connection.execute(
                "DELETE FROM segments WHERE first = ?", (segment.first,)
            )
        count = sum(segment.count for segment in run)
        self._add_segment(Segment(run[0].first, count, file))

    def note(self, note: Mapping[str, object]) -> None:
        """Keep a note in the place of the one there was."""
        self._set("note", note)

    def _add_segment(self, segment: Segment) -> None:
        self.connection.execute(
            "INSERT INTO segments VALUES (?, ?, ?)",
            (segment.first, segment.count, segment.file),
        )

    def _set(self, key: str, value: object) -> None:
        self.connection.execute(
            "INSERT OR REPLACE INTO store VALUES (?, ?)", (key, json.dumps(value))
        )


def _settings(connection: sqlite3.Connection) -> dict[str, Any]:
    rows = connection.execute("SELECT key, value FROM store")
    return {key: json.loads(value) for key, value in rows}


def _stored(value: object, kind: str) -> object:
    value = storable(value)
    return value if value is None or kind != "json" else json.dumps(value)
