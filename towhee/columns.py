"""Named columns of a row, and the rows that have them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.errors import HubError
from plugin_spec.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, KeysView

PASSED: Final = " passed"
"""The column through which steps of one pipeline hand on what is no result of it."""


class MissingColumn(HubError, AttributeError, KeyError):
    """A row has no column of that name."""

    __str__ = Exception.__str__


class InvalidColumns(HubError, TypeError):
    """Columns were named in a form that says neither in nor out."""


class Entity:
    """A row with named columns, each an attribute.

    >>> Entity(name="a.jpg", size=3).name
    'a.jpg'

    A name that is no identifier, or one of a method, is read in brackets. Functions and
    operators are given rows to read: what they add goes into a copy.
    """

    def __init__(self, /, **columns: Any) -> None:  # noqa: ANN401
        self.__dict__ = columns

    # Properties win over columns of the same name; brackets reach those.
    @property
    def keys(self) -> Callable[[], KeysView[str]]:
        """The columns' names, so that ``dict(row)`` works."""
        return self.__dict__.keys

    @property
    def with_columns(self) -> Callable[..., Entity]:
        """Copy the row, with columns added or in place of its own.

        >>> Entity(a=1).with_columns(b=2)
        Entity(a=1, b=2)
        """
        return lambda **columns: Entity(**{**self.__dict__, **columns})

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401
        try:
            return self.__dict__[name]
        except KeyError:
            raise missing_column(name, self.__dict__) from None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("__"):
            raise AttributeError(name)
        raise missing_column(name, self.__dict__)

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __len__(self) -> int:
        return len(self.__dict__)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Entity):
            return NotImplemented
        return self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # a row may hold what cannot be hashed

    def __repr__(self) -> str:
        columns = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"Entity({columns})"


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a row go into a step, and which ones its results become."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    gathers: bool = field(default=False, repr=False)
    """Whether what a generator gives is written as a list, one for each output."""

    @classmethod
    def parse(cls, index: object, *, outputs: bool = True) -> Columns:
        """Read what stands in brackets: ``['in', 'out']``, each a name or a tuple.

        >>> Columns.parse(("a", ("b", "c")))
        Columns(inputs=('a',), outputs=('b', 'c'))

        :param outputs: whether results go into columns; a filter has none.
        :raises InvalidColumns: for any other form.
        """
        if not outputs:
            return cls(column_names(index))
        if not isinstance(index, tuple) or len(index) != 2:  # noqa: PLR2004  (in, out)
            raise InvalidColumns(
                f"[{index!r}] does not name the columns to read and to write",
                hint="Write ['in', 'out'], or [('a', 'b'), ('c', 'd')] for several",
            )
        return cls(column_names(index[0]), distinct_names(index[1]))

    def through(self, steps: int) -> list[Columns]:
        """What each of ``steps`` steps in a row reads and writes.

        >>> [str(columns) for columns in Columns(("a",), ("b",)).through(2)]
        ["['a', ' passed']", "[' passed', 'b']"]
        """
        inner = [(PASSED,)] * (steps - 1)
        sides = zip([self.inputs, *inner], [*inner, self.outputs], strict=True)
        return [Columns(inputs, outputs) for inputs, outputs in sides]

    def read(self, row: Any) -> Any:  # noqa: ANN401  (what columns hold)
        """The value of the one input, or a tuple of several.

        :raises MissingColumn: naming the nearest.
        """
        if not isinstance(row, Entity):
            raise without_columns(row, self.inputs[0])
        if len(self.inputs) == 1:
            return row[self.inputs[0]]
        return tuple(row[name] for name in self.inputs)

    def write(self, row: Entity, value: Any) -> Entity:  # noqa: ANN401
        """A copy of ``row`` with ``value`` in the output, or one value for each.

        :raises ValueError: if there are more or fewer values than outputs.
        """
        values = (value,) if len(self.outputs) == 1 else value
        written = copied(row)
        written.__dict__.pop(PASSED, None)
        written.__dict__.update(zip(self.outputs, values, strict=True))
        return written

    def __str__(self) -> str:
        sides = [self.inputs, *([self.outputs] if self.outputs else [])]
        names = (repr(side[0]) if len(side) == 1 else repr(side) for side in sides)
        return f"[{', '.join(names)}]"


def copied(row: Entity) -> Entity:
    """A row of its own, with the same values in its columns."""
    copy = Entity.__new__(Entity)
    copy.__dict__ = row.__dict__.copy()
    return copy


def gathered(rows: Iterable[Any], columns: int) -> list[Any]:
    """A list of the rows; a list for each column, if there are several.

    >>> gathered(iter([(1, "a"), (2, "b")]), 2)
    [[1, 2], ['a', 'b']]
    """
    if columns == 1:
        return list(rows)
    lists: list[Any] = [[] for _ in range(columns)]
    for row in rows:
        for values, value in zip(lists, row, strict=True):
            values.append(value)
    return lists


def column_names(side: object) -> tuple[str, ...]:
    """One name, or several.

    >>> column_names("a"), column_names(["a", "b"])
    (('a',), ('a', 'b'))

    :raises InvalidColumns: for anything else, and for none.
    """
    names = (side,) if isinstance(side, str) else side
    if isinstance(names, tuple | list) and names:
        texts = [name for name in names if isinstance(name, str)]
        if len(texts) == len(names):
            # Loops are written with these: a subclass may call itself what it likes.
            return tuple(map(str.__str__, texts))
    raise InvalidColumns(
        f"{side!r} names no column", hint="Write a name, or a tuple of names"
    )


def distinct_names(side: object) -> tuple[str, ...]:
    """As ``column_names``, of columns that are written.

    >>> distinct_names(["a", "b"])
    ('a', 'b')

    :raises InvalidColumns: for a name that is there twice, too.
    """
    names = column_names(side)
    if len({*names}) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise InvalidColumns(f"Two columns would be named `{twice}`")
    return names


def missing_column(name: str, there: Collection[str]) -> MissingColumn:
    """What is wrong with a row that has only the columns ``there``."""
    listed = ", ".join(f"`{column}`" for column in there) or "none"
    return MissingColumn(
        f"The row has no column `{name}`{did_you_mean(name, there)}",
        hint=f"Its columns are: {listed}",
    )


def columns_of(row: object, *names: str) -> dict[str, Any]:
    """A dictionary of the row's columns, or of those that are named.

    :raises MissingColumn: if the row lacks one, or has no columns.
    """
    if not isinstance(row, Entity):
        raise without_columns(row, *names[:1])
    return {name: row[name] for name in names or row}


def without_columns(row: object, name: str | None = None) -> MissingColumn:
    """What is wrong with a row that should have columns, and has none."""
    lacking = "no columns" if name is None else f"no column `{name}`"
    return MissingColumn(
        f"The row is a {type(row).__name__}, which has {lacking}",
        hint="Build rows with columns, `dc['name'](rows)`, or use `as_entity`",
    )
