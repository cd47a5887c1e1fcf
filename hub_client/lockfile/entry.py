"""Reading one table of ``hub.lock``: strictly, and knowing where it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from hub_client.text_of_others import ONE_LINE

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_OPENINGS: Final = {
    "operator": "[[operator]]",
    "packages": "{ name = ",
    "python": "[python]",
}
_REQUIRED: Final = object()


class LockProblem(ValueError):
    """One thing that is wrong in a lock, with its place."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One table of a lock that is being read, and where it stands."""

    table: Any
    section: str = ""
    index: int | None = None
    """Which one of several, if there are several."""
    text: str = ""
    """The whole file, or nothing if it was not read from one."""

    def get(
        self,
        key: str,
        parse: Callable[[Any], T],
        default: T = _REQUIRED,  # type: ignore[assignment]  # a default is a T
    ) -> T:
        """Parse the value of ``key``.

        :raises LockProblem: if it is missing and has no default, or does not parse.
        """
        if key not in self.table:
            if default is _REQUIRED:
                raise self.problem(key, "missing")
            return default
        try:
            return parse(self.table[key])
        except (ValueError, RecursionError) as error:
            raise self.problem(key, str(error)) from error

    def check_keys(self, *known: str) -> None:
        """Refuse what this release would not write back.

        :raises LockProblem: if the entry is no table, or has another key.
        """
        if not isinstance(self.table, dict):
            raise self.problem("", f"expected a table, got {self.table!r}")
        for key in self.table:
            if key not in known:
                raise self.problem(key, "unknown key")

    def problem(self, key: str, sentence: str) -> LockProblem:
        """What is wrong with ``key``, with its line if the text shows it."""
        number = "" if self.index is None else f"[{self.index}]"
        path = f"{self.section}{number}.{key}".strip(".")
        line = self._line(key)
        return LockProblem(f"{f'line {line}: ' if line else ''}{path}: {sentence}")

    def _line(self, key: str) -> int | None:
        lines = [line.strip() for line in self.text.split("\n")]
        start = 0
        if self.section:
            opening = _OPENINGS[self.section]
            starts = [n for n, line in enumerate(lines) if line.startswith(opening)]
            if (self.index or 0) >= len(starts):
                return None
            start = starts[self.index or 0]
        for number, line in enumerate(lines[start:], start):
            if number > start and line.startswith("["):
                break
            if line.partition("=")[0].strip() == key:
                return number + 1
        return start + 1 if self.section else None


def of_type(kind: type[T], noun: str) -> Callable[[Any], T]:
    """Accept values of ``kind`` and of no subclass: ``true`` is not a number."""

    def parse(value: Any) -> T:  # noqa: ANN401  (Any stops here)
        if type(value) is not kind:
            raise ValueError(f"expected {noun}, got {value!r}")
        return value

    return parse


as_text = of_type(str, "text")
as_number = of_type(int, "a whole number")
as_array: Callable[[Any], list[Any]] = of_type(list, "an array")
as_table: Callable[[Any], dict[str, Any]] = of_type(dict, "a table")


def parsed(parse: Callable[[str], T]) -> Callable[[Any], T]:
    """Accept text that ``parse`` accepts."""
    return lambda value: parse(as_text(value))


def matching(pattern: re.Pattern[str], noun: str) -> Callable[[Any], str]:
    """Accept text of this form."""

    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"expected {noun}, got {text!r}")
        return text

    return parsed(parse)


def each(parse: Callable[[Any], T]) -> Callable[[Any], tuple[T, ...]]:
    """Accept an array of what ``parse`` accepts."""
    return lambda value: tuple(map(parse, as_array(value)))


as_line = matching(ONE_LINE, "text on one line")
as_digest = matching(_DIGEST, "`sha256:` and 64 hexadecimal digits")
