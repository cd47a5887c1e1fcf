"""A row that may have failed: ``Some`` value, or ``Empty`` with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from towhee.outcome import OperatorFailed


class Some(Struct, frozen=True, gc=False):
    """A row's value.

    One is built for each row that is kept: Python's collector does not visit it, which
    would cost more than building it. So a value that leads back to its own ``Some`` is
    kept until the process ends.
    """

    value: Any

    def get(self) -> Any:  # noqa: ANN401
        """The value.

        >>> Some(1).get()
        1
        """
        return self.value

    def get_or_else(self, _default: object) -> Any:  # noqa: ANN401
        """The value; ``Empty`` gives the default."""
        return self.value

    def is_some(self) -> Literal[True]:
        """Whether there is a value."""
        return True

    def is_empty(self) -> Literal[False]:
        """Whether the row failed."""
        return False

    def __repr__(self) -> str:
        return f"Some({self.value!r})"


@dataclass(frozen=True, slots=True, eq=False)
class Empty:
    """A row that failed, and why."""

    error: OperatorFailed
    """Its ``operator``, ``row`` number, ``input``, and the exception as its cause."""

    @property
    def row(self) -> int | None:
        """The row's number in the source, from 0."""
        return self.error.row

    @property
    def exception(self) -> BaseException | None:
        """What the function or operator raised."""
        return self.error.__cause__

    def get(self) -> Any:  # noqa: ANN401
        """Nothing can be given.

        :raises OperatorFailed: always.
        """
        raise self.error

    def get_or_else(self, default: Any) -> Any:  # noqa: ANN401
        """The default, since there is no value."""
        return default

    def is_some(self) -> Literal[False]:
        """Whether there is a value."""
        return False

    def is_empty(self) -> Literal[True]:
        """Whether the row failed."""
        return True

    def __repr__(self) -> str:
        return f"Empty({str(self.error)!r})"


def values_of(rows: Iterable[Any]) -> Iterator[Any]:
    """Rows as they are, and the values of those that are ``Some``.

    >>> list(values_of([1, Some(2)]))
    [1, 2]

    :raises OperatorFailed: for the first ``Empty``: what writes rows swallows none.
    """
    for row in rows:
        yield row.get() if isinstance(row, Some | Empty) else row
