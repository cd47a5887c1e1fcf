"""Columns of a graph: which node made one, whatever others are named alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugin_spec.errors import HubError
from plugin_spec.nearest import did_you_mean
from towhee.columns import column_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeAlias

    Known: TypeAlias = "Mapping[str, Column | None]"
    """Columns by name; None where two branches made different ones."""


class UnknownColumn(HubError, KeyError):
    """A node reads columns that no node before it makes."""

    __str__ = Exception.__str__


class DuplicateColumn(HubError, ValueError):
    """One name stands for two columns."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column, as one node made it: a name written anew is another column."""

    name: str


def distinct(columns: object, *, node: str, some: bool = True) -> tuple[str, ...]:
    """Read the name of one column, or a tuple of names.

    >>> distinct("a", node="map"), distinct(("a", "b"), node="map")
    (('a',), ('a', 'b'))

    :param node: who asks, for the message.
    :param some: whether there has to be one.
    :raises InvalidColumns: for anything else.
    :raises DuplicateColumn: if a name comes twice.
    """
    names = () if columns == () and not some else column_names(columns)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DuplicateColumn(f"`{node}` names {_listed(twice)} twice")
    return names


def find(known: Known, wanted: Iterable[str], *, node: str) -> tuple[Column, ...]:
    """The columns that names stand for, at one place of a graph.

    :raises UnknownColumn: with all that are not there, and the nearest names.
    :raises DuplicateColumn: if branches that were joined made different ones.
    """
    wanted = tuple(wanted)
    if unknown := [name for name in wanted if name not in known]:
        there = ", ".join(f"`{name}`" for name in known)
        near = did_you_mean(unknown[0], known) if len(unknown) == 1 else ""
        raise UnknownColumn(
            f"`{node}` reads {_listed(unknown)}, which no node makes{near}",
            hint=f"There are: {there}",
        )
    columns = [known[name] for name in wanted]
    found = tuple(column for column in columns if column is not None)
    if len(found) < len(columns):
        pairs = zip(wanted, columns, strict=True)
        unclear = [name for name, column in pairs if column is None]
        raise DuplicateColumn(
            f"`{node}` reads {_listed(unclear)}, which branches make differently",
            hint="Give the column another name in one of them",
        )
    return found


def _listed(wanted: Iterable[str]) -> str:
    return " and ".join(f"`{name}`" for name in wanted)
