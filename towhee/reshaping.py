"""From a row with columns to another: what methods that name columns are made of.

Classes, since other processes can read their instances.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

from towhee.columns import (
    Entity,
    InvalidColumns,
    columns_of,
    distinct_names,
    missing_column,
)
from towhee.joined_rows import told
from towhee.outcome import short_repr
from towhee.vector_files import UnwritableValue

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from towhee.sources import Known


@dataclass(frozen=True, slots=True)
class AsEntity:
    """A mapping, or the values that ``schema`` names, as a row with columns."""

    schema: tuple[str, ...] | None

    def __call__(self, row: Any) -> Entity:  # noqa: ANN401  (any row)
        """Give values names; those of an entity are its own.

        :raises TypeError: without a schema, for what is no mapping.
        :raises ValueError: if there are more or fewer values than names.
        """
        if self.schema is not None and len(self.schema) == 1:
            return Entity(**{self.schema[0]: row})
        if isinstance(row, Entity):
            return Entity(**columns_of(row, *(self.schema or ())))
        if isinstance(row, Mapping):
            columns = self._of(row)
            try:
                return Entity(**columns)
            except TypeError:
                raise _unnamed(columns) from None
        if self.schema is None:
            raise TypeError(
                f"the row is of type {type(row).__name__}, whose values have no names: "
                "write them as in `as_entity(['a', 'b'])`"
            )
        if not hasattr(row, "__iter__"):
            raise TypeError(
                f"the row is of type {type(row).__name__}, which is one value, "
                f"and {len(self.schema)} names are there for it"
            )
        try:
            return Entity(**dict(zip(self.schema, row, strict=True)))
        except ValueError as error:
            named = ", ".join(self.schema)
            raise told(error, f"the row has not a value for each of {named}") from None

    def _of(self, row: Mapping[Any, Any]) -> dict[str, Any]:
        try:
            return {name: row[name] for name in self.schema or row}
        except KeyError as error:
            raise missing_column(error.args[0], row) from None

    def moved(self, known: Known) -> Known:
        """What is known of columns, of what was known of rows."""
        if self.schema is None or len(self.schema) > 1 or None not in known:
            return known
        return {self.schema[0]: known[None]}


def as_json(row: object) -> str:
    """Write a row as JSON; arrays become lists, and paths text.

    Keys become text, so that two of a dict may be the same: readers take the last.

    >>> as_json(Entity(name="größe", sizes=(1, 2)))
    '{"name": "größe", "sizes": [1, 2]}'

    :raises TypeError: for values that JSON has no form for.
    :raises UnwritableValue: for ``nan`` and infinity, which other programs do not read.
    """
    try:
        return json.dumps(row, default=_jsonable, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise UnwritableValue(
            f"JSON cannot hold the row: {error}",
            hint="Put what JSON has in its place first, with `map`, as None for nan",
        ) from error


def parse_json(text: str | bytes) -> Entity:
    """Read a row that is a JSON object.

    >>> parse_json('{"a": 1}')
    Entity(a=1)

    :raises ValueError: for what is no JSON, or no object.
    """
    columns = json.loads(text)
    if not isinstance(columns, dict):
        found = type(columns).__name__
        raise ValueError(f"expected a JSON object with columns, got a {found}")  # noqa: TRY004  (of the text, not of an argument)
    return Entity(**columns)


def as_raw(row: object) -> Any:  # noqa: ANN401  (what columns hold)
    """The value of the only column, or a tuple of all.

    >>> as_raw(Entity(a=1)), as_raw(Entity(a=1, b=2))
    (1, (1, 2))
    """
    values = tuple(columns_of(row).values())
    return values[0] if len(values) == 1 else values


@dataclass(frozen=True, slots=True)
class Select:
    """The columns of those names, in that order."""

    names: tuple[str, ...]

    def __call__(self, row: object) -> Entity:
        """:raises MissingColumn: if the row lacks one."""
        return Entity(**columns_of(row, *self.names))

    def moved(self, known: Known) -> Known:
        """What is known of columns afterwards."""
        return {name: known[name] for name in self.names if name in known}


@dataclass(frozen=True, slots=True)
class Rename:
    """Other names for some columns, which stay where they are."""

    names: Mapping[str, str]

    def __call__(self, row: object) -> Entity:
        """Rename all at once, so that two may change places.

        :raises MissingColumn: if the row lacks one.
        :raises InvalidColumns: if two columns would have one name.
        """
        columns_of(row, *self.names)
        columns = columns_of(row)
        named = [self.names.get(name, name) for name in columns]
        if named:
            distinct_names(named)
        return Entity(**dict(zip(named, columns.values(), strict=True)))

    def moved(self, known: Known) -> Known:
        """What is known of columns afterwards."""
        return {self.names.get(str(name), name): known[name] for name in known}


@dataclass(frozen=True, slots=True)
class Replace:
    """By column, which values become which."""

    columns: Mapping[str, Mapping[Hashable, object]]

    def __call__(self, row: object) -> Entity:
        """:raises MissingColumn: if the row lacks one of the columns."""
        old = columns_of(row, *self.columns)
        new = {
            name: values[old[name]]
            for name, values in self.columns.items()
            if _is_in(old[name], values)
        }
        return Entity(**{**columns_of(row), **new})


@dataclass(frozen=True, slots=True)
class IsComplete:
    """Whether no column holds a value that stands for a missing one."""

    missing: frozenset[object]
    nan: bool
    """Whether ``nan`` does; it equals nothing, so that no set could tell."""

    @classmethod
    def without(cls, missing: Iterable[object]) -> IsComplete:
        """Take any ``nan`` for all."""
        values = frozenset(missing)
        numbers = frozenset(value for value in values if not _is_nan(value))
        return cls(numbers, nan=len(numbers) < len(values))

    def __call__(self, row: object) -> bool:
        """:raises MissingColumn: for a row without columns."""
        return not any(
            _is_in(value, self.missing) or (self.nan and _is_nan(value))
            for value in columns_of(row).values()
        )


@dataclass(frozen=True, slots=True)
class Fill:
    """Values for columns that a row lacks, and those in which it holds None."""

    defaults: Mapping[str, object]
    replace_none: bool

    def __call__(self, row: object) -> Entity:
        """Add columns behind those that there are."""
        columns = columns_of(row)
        for name, default in self.defaults.items():
            value = columns.setdefault(name, default)
            if value is None and self.replace_none:
                columns[name] = default
        return Entity(**columns)

    def moved(self, known: Known) -> Known:
        """What is known of columns afterwards: a default stands for a few of them."""
        return known


def _unnamed(columns: Mapping[Any, Any]) -> InvalidColumns:
    odd = next(name for name in columns if not isinstance(name, str))
    return InvalidColumns(
        f"the mapping has the key {short_repr(odd)}, and columns are named by text",
        hint="Make its keys text first, with `map`",
    )


def _is_in(value: object, values: Any) -> bool:  # noqa: ANN401  (a set, or a mapping)
    try:
        return value in values
    except TypeError:  # what cannot be hashed is in neither
        return False


def may_be_nan(kind: type) -> bool:
    """Whether a value of a type may be ``nan``, or pandas' ``NaT``.

    >>> may_be_nan(float), may_be_nan(str)
    (True, False)
    """
    return issubclass(kind, Real | Decimal | datetime) and not issubclass(kind, int)


def _is_nan(value: object) -> bool:
    return may_be_nan(type(value)) and bool(value != value)  # noqa: PLR0124  (nan alone is not itself)


def _jsonable(value: Any) -> object:  # noqa: ANN401  (of any package)
    if isinstance(value, Entity):
        return vars(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):  # arrays and their numbers, tensors too
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} has no form in JSON")
