"""``dc['name'](rows)`` and ``glob['path'](pattern)``: collections with columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from towhee.columns import Columns, Entity
from towhee.functional import DataCollection
from towhee.pipelines import FunctionCall

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Named:
    """Gives values names: a row with columns for each value, or tuple of values.

    >>> Named(("a", "b"))((1, 2))
    Entity(a=1, b=2)
    """

    names: tuple[str, ...]

    def __call__(self, value: Any) -> Entity:  # noqa: ANN401  (what columns hold)
        """Make the row.

        :raises ValueError: if there are more or fewer values than names.
        """
        values = (value,) if len(self.names) == 1 else value
        return Entity(**dict(zip(self.names, values, strict=True)))


@dataclass(frozen=True, slots=True)
class Start:
    """A way to make a collection, which takes the columns' names in brackets."""

    build: Callable[..., DataCollection]

    def __call__(self, *sources: Any) -> DataCollection:  # noqa: ANN401
        """Make a collection of rows as they are."""
        return self.build(*sources)

    def __getitem__(self, names: Any) -> Callable[..., DataCollection]:  # noqa: ANN401
        return partial(self._named, Columns.parse(names, outputs=False).inputs)

    def _named(self, names: tuple[str, ...], *sources: Any) -> DataCollection:  # noqa: ANN401
        return self.build(*sources).then(FunctionCall("map", Named(names)))


dc: Final = Start(DataCollection)
"""``dc['a'](values)``, ``dc['a', 'b'](tuples)``: rows that have these columns."""

glob: Final = Start(DataCollection.from_glob)
"""``glob['path']('*.jpg')``: the paths of the files that match, as a column."""
