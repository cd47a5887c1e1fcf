"""Comma-separated values."""

from __future__ import annotations

import csv
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from towhee.columns import Entity, columns_of
from towhee.outcome import short_repr
from towhee.reshaping import as_json
from towhee.vector_files import UnwritableValue
from towhee.writing.staging import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from towhee.writing.staging import PathLike

_JSON: Final = (list, tuple, dict, Entity, bytes, bytearray, memoryview)
"""What is written as JSON, if that has a form for it."""


def write_csv(
    path: PathLike, rows: Iterable[Any], *, delimiter: str, encoding: str
) -> None:
    """Write a line for each row, and the columns' names before the first.

    Dicts are rows with columns, as entities are, if the first row is one.

    :raises UnwritableValue: for a row with a column that the first one lacks, or with
        what has no form in text.
    """
    with replacing(path) as staged:
        _write(staged, iter(rows), delimiter, encoding)


def _write(path: Path, rows: Iterator[Any], delimiter: str, encoding: str) -> None:
    with path.open("w", newline="", encoding=encoding) as file:
        # Lines end as the standard says: a writer quotes only those ends it writes.
        lines = csv.writer(file, delimiter=delimiter, lineterminator="\r\n")
        for first in rows:
            names = _names(first)
            if names is not None:
                _put(lines, names, "the columns' names")
            for number, row in enumerate(chain([first], rows)):
                _put(lines, _values(row, names, number), f"row {number}")


def _put(lines: Any, values: Iterable[object], what: str) -> None:  # noqa: ANN401  (a writer of csv)
    try:
        lines.writerow(map(_field, values))
    except (TypeError, ValueError) as error:
        raise UnwritableValue(
            f"{what} cannot be written: {error}",
            hint="Text in every language has bytes in `encoding='utf-8'`"
            if isinstance(error, UnicodeError)
            else "Map it to text, numbers or lists, or leave it out with `select`",
        ) from error


def _names(first: object) -> list[str] | None:
    """The columns' names; None for rows that have none."""
    if not isinstance(first, Entity | dict):
        return None
    if wrong := [name for name in first if not isinstance(name, str)]:
        raise UnwritableValue(
            f"row 0 has the key {short_repr(wrong[0])}, and columns are named by text",
            hint="Give columns names, as in `map(...).as_entity(['a', 'b'])`",
        )
    return list(first)


def _values(row: Any, names: list[str] | None, number: int) -> Iterable[object]:  # noqa: ANN401  (any row)
    if names is None:
        return row if isinstance(row, tuple | list) else (row,)
    columns = row if isinstance(row, dict) else columns_of(row)
    if more := [name for name in columns if name not in names]:
        raise UnwritableValue(
            f"row {number} has a column `{more[0]}`, which the first one lacks",
            hint="Give every row the same columns, with `fill_entity` or `select`",
        )
    return [columns.get(name) for name in names]


def _field(value: object) -> object:
    """What is text, or says itself in text; JSON for lists, arrays and what does not.

    :raises TypeError: for what has no form in either.
    """
    if value is None or isinstance(value, str | int | float | complex):
        return value
    if isinstance(value, _JSON) or getattr(value, "shape", None):
        return as_json(value)
    # Others would be written as `repr` describes them, for people.
    return as_json(value) if type(value).__str__ is object.__str__ else value
