"""Tables as text, a line for each row."""

from __future__ import annotations

import csv
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from towhee.columns import Entity
from towhee.reading.files import FileRows, UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST: Final = 2**26
"""How many characters a field may have: a quote that nothing closes ends there."""


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
        with (
            self.path.open(encoding=self.encoding, newline="") as file,
            _LONG_FIELDS,
        ):
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


class _LongFields:
    """Lets fields be long while files are read.

    All readers of a process have one limit, which is the usual one again once the last
    of these files is closed.
    """

    def __init__(self) -> None:
        self._files = 0
        self._usual: int | None = None
        # The garbage collector may close one file while another is opened.
        self._changing = threading.RLock()

    def __enter__(self) -> None:
        with self._changing:
            self._files += 1
            limit = csv.field_size_limit()
            if limit < _LONGEST:
                self._usual = limit
                csv.field_size_limit(_LONGEST)

    def __exit__(self, *_: object) -> None:
        with self._changing:
            self._files -= 1
            if self._files or self._usual is None:
                return
            if csv.field_size_limit() == _LONGEST:  # nobody else set it meanwhile
                csv.field_size_limit(self._usual)
            self._usual = None


_LONG_FIELDS: Final = _LongFields()
