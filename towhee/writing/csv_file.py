"""Comma-separated values."""

from __future__ import annotations

import csv
from itertools import chain
from typing import TYPE_CHECKING, Any

from towhee.columns import Entity, columns_of
from towhee.reshaping import as_json
from towhee.vector_files import UnwritableValue
from towhee.writing.staging import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from towhee.writing.staging import PathLike


def write_csv(
    path: PathLike, rows: Iterable[Any], *, delimiter: str, encoding: str
) -> None:
    """Write a line for each row, and the columns' names before the first.

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
            names = list(first) if isinstance(first, Entity) else None
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
            else None,
        ) from error


def _values(row: Any, names: list[str] | None, number: int) -> Iterable[object]:  # noqa: ANN401  (any row)
    if names is None:
        return row if isinstance(row, tuple | list) else (row,)
    columns = columns_of(row)
    if more := [name for name in columns if name not in names]:
        raise UnwritableValue(
            f"row {number} has a column `{more[0]}`, which the first one lacks",
            hint="Give every row the same columns, with `fill_entity` or `select`",
        )
    return [columns.get(name) for name in names]


def _field(value: object) -> object:
    """Text for what is no number or text itself: JSON for lists and arrays."""
    shape = getattr(value, "shape", None)
    if isinstance(value, list | tuple | dict | Entity) or shape:
        return as_json(value)
    return value
