"""What a store holds: ids and metadata in SQLite, vectors in files of faiss."""

from __future__ import annotations

import json
import re
import sqlite3
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import faiss
import numpy as np

from plugin_spec.spaces import EmbeddingSpace
from plugin_spec.vector_stores import InvalidFilter, MissingStore, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_FORMAT: Final = 1
_PATIENCE: Final = 60.0
"""Seconds to wait for another process that writes."""

_TOKEN: Final = re.compile(
    r"'[^']*'|`[^`]*`|\[[^]]*]|--[^\n]*|/\*.*?(?:\*/|\Z)"
    r'|"(?P<name>(?:[^"]|"")*)"',
    re.DOTALL,
)
"""A name in double quotes, or what such a quote may be part of."""


class Catalogue:
    """The file ``records.sqlite`` of a store's folder, to be read.

    :raises MissingStore: if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = path = folder / "records.sqlite"
        self._identity = _identity(path)
        if self._identity is None:
            raise MissingStore(
                f"There is no store in `{folder}`",
                hint="Fill it with `ann_insert.faiss(path=…)` or `to_faiss`",
            )
        # Whichever thread predicts, one does at a time.
        self._connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro",
            uri=True,
            timeout=_PATIENCE,
            check_same_thread=False,
            isolation_level=None,
        )
        self.close = weakref.finalize(self, self._connection.close)
        try:
            rows = self._connection.execute("SELECT key, value FROM store")
            settings = {key: json.loads(value) for key, value in rows}
        except sqlite3.DatabaseError as error:
            raise StoreUnavailable(f"Cannot use `{path}`: {error}") from error
        if "made" not in settings:
            raise MissingStore(f"The store in `{folder}` holds nothing yet")
        if settings["format"] != _FORMAT:
            raise StoreUnavailable(
                f"`{path}` has the format {settings['format']}, expected {_FORMAT}",
                hint="Take a newer `ann-search/faiss`",
            )
        made = settings["made"]
        self.metric: str = made["metric"]
        self.length: int = made["length"]
        self.id_column: str = made["id_column"]
        self._columns: dict[str, str] = made["columns"]
        said = settings.get("space")
        self.space = None if said is None else EmbeddingSpace.from_dict(said)

    @property
    def is_there(self) -> bool:
        """Whether the file is still the one that was opened."""
        return _identity(self._path) == self._identity

    @property
    def version(self) -> int:
        """A number that changes when another connection has written."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What is read inside belongs together; nobody writes meanwhile."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.rollback()

    def positions(self, condition: str | None) -> NDArray[np.int64]:
        """Where the vectors of the records are that meet a condition.

        :raises InvalidFilter: with SQLite's reason, and the columns that there are.
        """
        where = f" WHERE ({_TOKEN.sub(_named, condition)}\n)" if condition else ""
        try:
            rows = self._connection.execute(f"SELECT _position FROM records{where}")  # noqa: S608  (nobody can write here)
            return np.fromiter((row[0] for row in rows), np.int64)
        except (sqlite3.Error, sqlite3.Warning) as error:
            columns = ", ".join(f"`{name}`" for name in self._names)
            raise InvalidFilter(
                f"Cannot filter by `{condition}`: {error}",
                hint=f"The columns are: {columns}",
            ) from error

    def index(self) -> faiss.Index:
        """Every vector, by its position."""
        rows = self._connection.execute("SELECT file FROM segments ORDER BY first")
        files = [self._folder / file for (file,) in rows]
        index = faiss.read_index(str(files[0]))
        for file in files[1:]:
            index.merge_from(faiss.read_index(str(file)), 0)
        return index

    def records(self, positions: Sequence[int]) -> list[dict[str, Any]]:
        """The columns at these positions."""
        names = ", ".join(f'"{name}"' for name in self._names)
        places = ", ".join("?" * len(positions))
        rows = self._connection.execute(
            f"SELECT _position, {names} FROM records WHERE _position IN ({places})",  # noqa: S608  (names were checked)
            positions,
        )
        found = {position: self._record(values) for position, *values in rows}
        return [found[position] for position in positions]

    @property
    def _names(self) -> list[str]:
        return [self.id_column, *self._columns]

    def _record(self, values: Sequence[Any]) -> dict[str, Any]:
        kinds = ("id", *self._columns.values())
        return {
            name: value if value is None else _READ.get(kind, _same)(value)
            for name, kind, value in zip(self._names, kinds, values, strict=True)
        }


def _named(token: re.Match[str]) -> str:
    """A name in double quotes as one in backticks, which SQLite never takes for a text.

    >>> _TOKEN.sub(_named, 'width > "height"')
    'width > `height`'
    """
    if (name := token["name"]) is None:
        return token[0]
    return "`" + name.replace('""', '"').replace("`", "``") + "`"


def _same(value: object) -> object:
    return value


_READ: Final[dict[str, Any]] = {"bool": bool, "float": float, "json": json.loads}


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another of its name; None if there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
