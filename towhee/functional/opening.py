"""``api['name']()``: chains that are called, with columns."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from towhee.columns import column_names
from towhee.functional import DataCollection

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


class Opening:
    """``DataCollection.api``, which takes the columns' names in brackets too.

    >>> from towhee import api
    >>> with api["a", "b"]() as opened:
    ...     last = opened.map["b", "c"](str).map(lambda row: row.c).as_function()
    >>> last(1, 2)
    '2'
    """

    def __call__(self, *columns: str) -> AbstractContextManager[DataCollection]:
        """Begin a chain that is called with one row at a time."""
        return DataCollection.api(*columns)

    def __getitem__(
        self,
        names: Any,  # noqa: ANN401  (one name, or several)
    ) -> Callable[[], AbstractContextManager[DataCollection]]:
        return partial(self, *column_names(names))


api: Final = Opening()
