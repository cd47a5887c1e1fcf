"""Tables as text, a line for each row."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from towhee.columns import Entity
from towhee.reading.files import FileRows, UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Lines(Protocol):
    """What ``csv.reader`` returns, which has no name to import."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...
    def __next__(self) -> list[str]: ...


@dataclass(frozen=True, slots=True, repr=False)
class CsvRows(FileRows):
    """Rows with a column for each name in the first line, all of them text."""

    columns: tuple[str, ...] | None = None
    """The names, for a file whose first line is a row."""
    delimiter: str = ","
    encoding: str = "utf-8-sig"

    def __iter__(self) -> Iterator[Entity]:
        """Read a line, or more where one is quoted, for each row."""
        with self.path.open(encoding=self.encoding, newline="") as file:
            lines = csv.reader(file, delimiter=self.delimiter, strict=True)
            try:
                yield from self._rows(lines, self.columns or self._header(lines))
            except (csv.Error, UnicodeDecodeError) as error:
                raise UnreadableFile(
                    f"`{self.path}` cannot be read after line {lines.line_num}: {error}"
                ) from error

    def _header(self, lines: _Lines) -> tuple[str, ...]:
        names = tuple(next(lines, ()))
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise UnreadableFile(
                f"Columns of `{self.path}` share the name `{min(twice)}`"
            )
        return names

    def _rows(self, lines: _Lines, names: tuple[str, ...]) -> Iterator[Entity]:
        for fields in lines:
            if len(fields) == len(names):
                yield Entity(**dict(zip(names, fields, strict=True)))
            elif fields:
                raise UnreadableFile(
                    f"Line {lines.line_num} of `{self.path}` has {len(fields)} fields "
                    f"for {len(names)} columns"
                )
