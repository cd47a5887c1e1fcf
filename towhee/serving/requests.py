"""Where the rows of a chain come from that is called with one at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from plugin_spec.errors import HubError
from towhee.chain import Chain
from towhee.columnar.rows import ColumnRows
from towhee.columns import Entity
from towhee.joined_rows import Joined
from towhee.rows import DerivedRows
from towhee.shared_rows import Reader

INSTEAD: Final = "Leave it out, or do it in a function of one row, which `map` takes"
"""What to do about a method that needs several rows."""
_NONE: Final = object()
_SEVERAL: Final[dict[type[Any], str]] = {
    ColumnRows: "`to_column`, `set_chunksize` and `cmap` take several",
    Reader: "`map` with several functions makes several collections",
    Joined: "`zip`, `combine` and `+` join several collections",
}
"""By what makes rows, why no row can go through it alone."""


class NoRequest(HubError, RuntimeError):
    """A chain has no rows until it is called with one."""


class NotCallable(HubError, TypeError):
    """A chain cannot become a function of one value."""


@dataclass(frozen=True, slots=True, eq=False)
class Requests(Iterable[Any]):
    """The one row of the call that is going on in this thread."""

    columns: tuple[str, ...] = ()
    _here: threading.local = field(default_factory=threading.local, repr=False)

    def row(self, values: tuple[Any, ...]) -> Any:  # noqa: ANN401  (an Entity, or any value)
        """The row that a call's values make.

        >>> Requests(("a", "b")).row((1, 2))
        Entity(a=1, b=2)

        :raises TypeError: if there are more or fewer than columns.
        """
        if len(values) != (len(self.columns) or 1):
            names = ", ".join(self.columns) or "a value"
            raise TypeError(f"expected {names}, got {len(values)} values")
        if not self.columns:
            return values[0]
        return Entity(**dict(zip(self.columns, values, strict=True)))

    @contextmanager
    def giving(self, row: object) -> Iterator[None]:
        """Have ``row`` be the one that there is."""
        before = self._current()
        self._here.row = row
        try:
            yield
        finally:
            self._here.row = before

    def __iter__(self) -> Iterator[Any]:
        row = self._current()
        if row is _NONE:
            raise NoRequest(
                "This chain has no rows of its own: it is called with one at a time",
                hint="Make a function of it with `as_function()`, or `serve(path)` it",
            )
        return iter([row])

    def _current(self) -> Any:  # noqa: ANN401
        return getattr(self._here, "row", _NONE)

    def __reduce__(self) -> tuple[object, ...]:
        return Requests, (self.columns,)


def requests_of(chain: Chain) -> Requests:
    """Find where a chain's rows come from.

    :raises NotCallable: if they are its own, or kept from one call to the next.
    """
    rows: Any = chain
    keeps = False
    while not isinstance(rows, Requests):
        keeps = keeps or not getattr(rows, "is_stream", True)
        below = getattr(rows, "chain", getattr(rows, "rows", None))
        if below is None:
            raise _uncallable(rows)
        rows = below
    if keeps:
        raise NotCallable(
            "This chain keeps rows, and every call would get those of the first",
            hint="Leave out `head`, `unstream` and `split_train_test`",
        )
    return rows


def takes_requests(rows: object) -> bool:
    """Whether some of the rows are made of those of a call.

    >>> takes_requests(Requests()), takes_requests([1])
    (True, False)
    """
    seen: set[int] = set()
    left = [rows]
    while left:
        rows = left.pop()
        if isinstance(rows, Requests):
            return True
        if id(rows) not in seen:
            seen.add(id(rows))
            if isinstance(rows, DerivedRows):
                left += rows.origins()
            elif isinstance(rows, Chain):
                left.append(rows.rows)
    return False


def _uncallable(rows: object) -> NotCallable:
    if not takes_requests(rows):
        return NotCallable(
            "This collection has rows of its own, and takes no others",
            hint="Begin with `with DataCollection.api() as api:`",
        )
    whys = (why for kind, why in _SEVERAL.items() if isinstance(rows, kind))
    why = next(whys, "this one takes several")
    return NotCallable(
        f"A chain that is called takes one row at a time, and {why}", hint=INSTEAD
    )
