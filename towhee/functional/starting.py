"""``dc['name'](rows)`` and ``glob['path'](pattern)``: collections with columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from towhee.columns import distinct_names
from towhee.functional import DataCollection
from towhee.pipelines import FunctionCall
from towhee.reshaping import AsEntity

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Start:
    """A way to make a collection, which takes the columns' names in brackets.

    >>> from towhee import dc
    >>> dc["a", "b"]([(1, 2)]).to_list()
    [Entity(a=1, b=2)]
    """

    build: Callable[..., DataCollection]

    def __call__(self, *sources: Any) -> DataCollection:  # noqa: ANN401
        """Make a collection of rows as they are."""
        return self.build(*sources)

    def __getitem__(self, names: Any) -> Callable[..., DataCollection]:  # noqa: ANN401
        return partial(self._named, distinct_names(names))

    def _named(self, names: tuple[str, ...], *sources: Any) -> DataCollection:  # noqa: ANN401
        return self.build(*sources).then(
            FunctionCall("map", AsEntity(names), method="as_entity")
        )


dc: Final = Start(DataCollection)
"""``dc['a'](values)``, ``dc['a', 'b'](tuples)``: rows that have these columns."""

glob: Final = Start(DataCollection.from_glob)
"""``glob['path']('*.jpg')``: the paths of the files that match, as a column."""
