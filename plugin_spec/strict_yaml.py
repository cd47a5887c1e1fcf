"""YAML without its traps: text, JSON's values, mappings and sequences, nothing else.

A plain scalar that JSON also knows is that value; one that every YAML reads as text is
text; any other (``no``, ``010``, ``1_000``, a date) must be quoted. Aliases, anchors,
tags and repeated keys are refused. The parser's events are read one by one, so input
that is too large or too deep is left at once, and nothing is ever expanded.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import yaml
import yaml.resolver

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 20
MAX_VALUES: Final = 5000

Path: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the top of a document to a value in it."""

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER: Final = yaml.resolver.Resolver()
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
_WORDS: Final = {"true": True, "false": False, "null": None, "~": None, "": None}
_KINDS: Final = {"bool": "boolean", "null": "null", "timestamp": "date"}


class UnreadableYaml(ValueError):
    """The text cannot be read; ``line`` counts from 1 and is None if it is unknown."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Scalar:
    """A plain scalar that is not text: its characters, its value, what people call it.

    ``ambiguous`` scalars have no value that every YAML reader agrees on.
    """

    text: str
    value: float | bool | None
    kind: str
    ambiguous: bool = False

    def __str__(self) -> str:
        return f"the {self.kind} {self.text}" if self.text else "nothing"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one value, and where it stands."""

    path: Path
    message: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """What was read; a value that was refused is None and has a problem."""

    value: dict[str, Any]
    lines: dict[Path, int]
    """Of every value, in file order."""
    scalars: dict[Path, Scalar]
    """Those plain scalars that are not text."""
    problems: tuple[Problem, ...]


def read_yaml(source: bytes) -> Document:
    """Read one document whose top is a mapping.

    :raises UnreadableYaml: if it is not UTF-8, not YAML, not one document, not a
        mapping, or above a limit. What can be refused by itself is a problem instead.
    """
    if len(source) > MAX_BYTES:
        raise UnreadableYaml(
            f"expected at most {MAX_BYTES // 1024} KiB, got {len(source):,} bytes"
        )
    try:
        return _Reader(yaml.parse(source.decode("utf-8"), Loader=_LOADER)).read()
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        raise UnreadableYaml(f"expected UTF-8, got an {error.reason}", line) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line_or_none = mark.line + 1 if mark else None
        raise UnreadableYaml(f"not YAML: {error.problem}", line_or_none) from error
    except UnreadableYaml:
        raise
    # Without libyaml, PyYAML lets an escape beyond Unicode through to `chr`.
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        reason = getattr(error, "reason", error)
        raise UnreadableYaml(f"not YAML: {reason}") from error


def interpret(text: str) -> str | Scalar:
    """Read a scalar that was written without quotes.

    >>> interpret("hello")
    'hello'
    >>> interpret("1.10")
    Scalar(text='1.10', value=1.1, kind='number', ambiguous=False)
    >>> interpret("no").ambiguous
    True
    """
    if text in _WORDS:
        value = _WORDS[text]
        return Scalar(text, value, "null" if value is None else "boolean")
    number = _NUMBER.fullmatch(text)
    if number and math.isfinite(float(text)):
        is_float = number[1] or number[2]
        return Scalar(text, float(text) if is_float else int(text), "number")
    tag: str = _RESOLVER.resolve(  # type: ignore[no-untyped-call]
        yaml.ScalarNode, text, (True, False)
    )
    kind = tag.rpartition(":")[2]
    if kind == "str" and not number:
        return text
    return Scalar(text, None, _KINDS.get(kind, "number"), ambiguous=True)


class _Reader:
    """Builds a document from parser events, never deeper than the limit."""

    def __init__(self, events: Iterator[Any]) -> None:
        # Any: the stubs give every event one base class, without its attributes.
        self._events = events
        self._lines: dict[Path, int] = {}
        self._scalars: dict[Path, Scalar] = {}
        self._problems: list[Problem] = []

    def read(self) -> Document:
        next(self._events)
        if not isinstance(next(self._events), yaml.DocumentStartEvent):
            raise UnreadableYaml("expected a mapping, got an empty file")
        top = next(self._events)
        if not isinstance(top, yaml.MappingStartEvent):
            raise UnreadableYaml("expected a mapping at the top", _line(top))
        value = self._value(top, ())
        next(self._events)
        end = next(self._events)
        if not isinstance(end, yaml.StreamEndEvent):
            raise UnreadableYaml("expected one document, got a second", _line(end))
        return Document(value, self._lines, self._scalars, tuple(self._problems))

    def _value(self, event: Any, path: Path) -> Any:  # noqa: ANN401
        self._lines.setdefault(path, _line(event))
        if len(self._lines) > MAX_VALUES:
            raise UnreadableYaml(
                f"expected at most {MAX_VALUES:,} values", _line(event)
            )
        self._refuse_extras(event, path)
        if isinstance(event, yaml.AliasEvent):
            return None
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if len(path) >= MAX_DEPTH:
            raise UnreadableYaml(f"expected at most {MAX_DEPTH} levels", _line(event))
        if isinstance(event, yaml.SequenceStartEvent):
            inner = itertools.takewhile(_is_inside, self._events)
            return [self._value(item, (*path, i)) for i, item in enumerate(inner)]
        return self._mapping(path)

    def _mapping(self, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for event in itertools.takewhile(_is_inside, self._events):
            if not isinstance(event, yaml.ScalarEvent):
                raise UnreadableYaml("expected a key that is text", _line(event))
            key = event.value
            inner = (*path, key)
            if key in mapping:
                first = self._lines[inner]
                self._refuse(event, inner, f"repeated, first written in line {first}")
                self._skip()
                continue
            self._lines[inner] = _line(event)
            self._refuse_extras(event, inner)
            self._scalar(event, inner)
            self._scalars.pop(inner, None)
            mapping[key] = self._value(next(self._events), inner)
        return mapping

    def _scalar(self, event: Any, path: Path) -> Any:  # noqa: ANN401
        if event.style:
            return event.value
        scalar = interpret(event.value)
        if isinstance(scalar, str):
            return scalar
        self._scalars[path] = scalar
        if scalar.ambiguous:
            quoted = json.dumps(scalar.text)
            self._refuse(
                event, path, f"ambiguous without quotes, got {scalar}: write {quoted}"
            )
        return scalar.value

    def _skip(self) -> None:
        depth = 0
        for event in self._events:
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if not depth:
                return

    def _refuse_extras(self, event: Any, path: Path) -> None:  # noqa: ANN401
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event, path, f"aliases are not allowed, got *{event.anchor}")
            return
        if event.anchor is not None:
            self._refuse(event, path, f"anchors are not allowed, got &{event.anchor}")
        if event.tag is not None:
            self._refuse(event, path, f"tags are not allowed, got {event.tag}")

    def _refuse(self, event: Any, path: Path, message: str) -> None:  # noqa: ANN401
        self._problems.append(Problem(path, message, _line(event)))


def _is_inside(event: object) -> bool:
    return not isinstance(event, yaml.CollectionEndEvent)


def _line(event: Any) -> int:  # noqa: ANN401
    return int(event.start_mark.line) + 1
