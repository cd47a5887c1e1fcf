"""How a row of a collection becomes a record of a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from plugin_spec.records import InvalidRecord
from towhee.columns import Entity
from towhee.outcome import short_repr
from towhee.vectors.fingerprints import Mark

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Form:
    """Names of columns, in rows and in the store alike.

    A row is a vector; or a tuple of id, vector and perhaps metadata; or has columns.
    """

    id: str = "id"
    vector: str = "vector"
    metadata: Sequence[str] | None = None
    """Columns to keep; None keeps all."""
    source: str | None = None
    """A column for what the row began as, a path for example."""
    numbered: bool | None = None
    """Whether rows get their numbers as ids, or have ids; None if no row said yet.

    Not both in one store: a row's number may be another's id.
    """
    several: bool = False
    """Whether a source row may become several, so that its number is not enough."""

    def record(
        self,
        value: object,
        *,
        row: int,
        number: int,
        origin: object,
    ) -> dict[str, object]:
        """Columns by name; the id is the source row's number if the row has none.

        >>> Form(source="file").record([0, 1], row=7, number=0, origin="a.jpg")
        {'id': 7, 'vector': [0, 1], 'file': 'a.jpg'}

        :param number: of the value among those of its source row.
        :param origin: the source row, or its mark if it is no text or number.
        :raises InvalidRecord: if a column is not there, or if it has an id and rows
            before had none, or the other way round.
        """
        default = f"{row}-{number}" if self.several else row
        found = self._columns(value)
        # The id comes first, and a row's own stays.
        columns = {self.id: default, **found}
        if columns[self.id] is None:
            columns[self.id] = default
        self._check_id(found.get(self.id))
        if self.source is not None:
            if isinstance(origin, Mark):
                raise InvalidRecord(
                    f"`{self.source}` cannot hold {origin.text}",
                    hint="Leave out `source`: the collection's rows are no texts",
                )
            columns[self.source] = origin
        return columns

    def decided_by(self, value: object) -> Form:
        """The same for the rows that follow a first one, which has an id or has none.

        >>> Form().decided_by({"id": 1, "vector": [0]}).numbered
        False
        """
        return replace(self, numbered=self._columns(value).get(self.id) is None)

    def _check_id(self, given: object) -> None:
        if given is None and self.numbered is False:
            raise InvalidRecord(
                f"The row has no `{self.id}`, and its number may be that of a record "
                "which the store holds already",
                hint=f"Give rows an `{self.id}`, or write to a store of their own",
            )
        if given is not None and self.numbered:
            raise InvalidRecord(
                f"The row has the `{self.id}` {short_repr(given)}, which may be the "
                "number of another row: those before it have none, and got numbers",
                hint=f"Give all rows an `{self.id}`, or none",
            )

    def _columns(self, value: object) -> dict[str, object]:
        if isinstance(value, tuple) and len(value) in (2, 3):
            key, vector, rest = (*value, {})[:3]
            if not isinstance(rest, Mapping | Entity):
                raise InvalidRecord(
                    f"A tuple is id, vector and a mapping, not {short_repr(value)}",
                    hint="Make a vector a list or an array",
                )
            return {self.id: key, self.vector: vector, **self._kept(dict(rest))}
        if hasattr(value, "keys"):
            row = dict(value)  # type: ignore[call-overload]  # a mapping, or like one
            own = {
                name: row.pop(name) for name in (self.id, self.vector) if name in row
            }
            if self.vector in own:
                return {**own, **self._kept(row)}
            raise InvalidRecord(_missing(self.vector, row))
        return {self.vector: value}

    def _kept(self, rest: dict[str, object]) -> dict[str, object]:
        if self.metadata is None:
            return rest
        if missing := [name for name in self.metadata if name not in rest]:
            raise InvalidRecord(_missing(missing[0], rest))
        return {name: rest[name] for name in self.metadata}


def _missing(name: str, row: dict[str, object]) -> str:
    columns = ", ".join(f"`{column}`" for column in row) or "none"
    return f"The row has no column `{name}`, it has {columns}"
