"""JSON: an array, or a value a line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from plugin_spec.nearest import did_you_mean
from towhee.columns import Entity
from towhee.reading.files import FileRows, UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import TextIOWrapper


@dataclass(frozen=True, slots=True, repr=False)
class JsonRows(FileRows):
    """The items of an array, or the values that lines hold; objects have columns."""

    at: tuple[str, ...] = ()
    """Where in the document the array is, as names of objects and numbers of arrays."""
    encoding: str = "utf-8-sig"

    def __iter__(self) -> Iterator[Any]:
        """Read a line for each row, or the whole of a file that is one document."""
        with self.path.open(encoding=self.encoding) as file:
            try:
                yield from map(_row, self._rows(file))
            except UnreadableFile:
                raise
            except (ValueError, RecursionError) as error:
                raise UnreadableFile(f"`{self.path}` is not JSON: {error}") from error

    def _rows(self, file: TextIOWrapper) -> Iterable[Any]:
        if self.at:
            return _items(self._place(json.load(file)))
        lines = ((n, line) for n, line in enumerate(file, 1) if not line.isspace())
        _, first = next(lines, (0, "[]"))
        try:
            value = json.loads(first)
        except json.JSONDecodeError:
            # A document may well begin with a line that is none by itself.
            return _items(json.loads(first + file.read()))
        second = next(lines, None)
        if second is None:
            return _items(value)
        return chain([value], (self._line(*line) for line in chain([second], lines)))

    def _line(self, number: int, line: str) -> Any:  # noqa: ANN401  (JSON's values)
        try:
            return json.loads(line)
        except ValueError as error:
            raise UnreadableFile(
                f"Line {number} of `{self.path}` is not JSON: {error}"
            ) from error

    def _place(self, value: Any) -> Any:  # noqa: ANN401
        for depth, name in enumerate(self.at):
            if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
                value = value[int(name)]
            elif isinstance(value, dict) and name in value:
                value = value[name]
            else:
                names = value if isinstance(value, dict) else ()
                raise UnreadableFile(
                    f"`{self.path}` has nothing at `{'.'.join(self.at[: depth + 1])}`"
                    f"{did_you_mean(name, names)}"
                )
        return value


def _items(value: Any) -> list[Any]:  # noqa: ANN401
    return value if isinstance(value, list) else [value]


def _row(value: Any) -> Any:  # noqa: ANN401
    return Entity(**value) if isinstance(value, dict) else value
