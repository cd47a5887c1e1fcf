"""The base classes of operators that fill a store of vectors, and that search one."""

from __future__ import annotations

from abc import abstractmethod
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from plugin_spec.errors import HubError
from plugin_spec.operator import ModelOperator
from plugin_spec.records import parse_record, parse_vector
from plugin_spec.spaces import check_spaces

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plugin_spec.records import Id, Record, Vector
    from plugin_spec.spaces import EmbeddingSpace

_MIXED: Final = "Embed with the operator and options that it was filled with"


class MissingStore(HubError, LookupError):
    """There is no store at this place, or none of that name in it."""


class StoreMismatch(HubError, ValueError):
    """A store was made for other vectors, or with another metric."""


class InvalidFilter(HubError, ValueError):
    """A store does not understand a filter."""


class StoreUnavailable(HubError, OSError):
    """A store is there, and cannot be opened: in use, not a store, or not answering."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What was found for one query, nearest first."""

    ids: list[Id]
    scores: list[float]
    """Euclidean distances for L2; similarities for IP and cosine."""
    metadata: list[dict[str, object]]
    """The columns of each."""

    def __len__(self) -> int:
        """How many were found."""
        return len(self.ids)


class StoreOperator(ModelOperator):
    """Works with a store, which says of which space its vectors are."""

    @property
    @abstractmethod
    def place(self) -> str:
        """What the store is called in messages."""

    @property
    @abstractmethod
    def held_space(self) -> EmbeddingSpace | None:
        """The space of the store's vectors; None if it does not say, or is not there.

        :raises InvalidSpace: if it says what cannot be read.
        """


class InsertOperator(StoreOperator):
    """Puts records into a store, a batch at a time; one whose id is there is replaced.

    So inserting a batch again, after a failure, changes nothing.
    """

    given_space: EmbeddingSpace | None = None
    """The space of the vectors that come, which a store keeps when it is made."""

    batch_size = 256

    id_column: str = "id"
    """A record's key for the id."""
    vector_column: str = "vector"
    """A record's key for the vector."""

    def for_space(self, space: EmbeddingSpace) -> Self:
        """An operator that puts vectors of this space into the same store.

        :raises SpacesDiffer: if the store holds those of another.
        """
        other = copy(self)
        other.given_space = space
        other.check_space(self.held_space)
        return other

    def check_space(self, held: EmbeddingSpace | None) -> None:
        """Refuse what comes if it is not of the space that the store holds.

        :raises SpacesDiffer: with every difference.
        """
        hint = f"{_MIXED}, or fill another store"
        check_spaces(self.place, held=held, given=self.given_space, hint=hint)

    def prepare(self, record: object) -> Record:
        """Check one record.

        :param record: a mapping, or a tuple of id, vector and perhaps metadata.
        :raises InvalidRecord: with what is wrong.
        """
        return parse_record(record, id=self.id_column, vector=self.vector_column)

    def predict(self, batch: Sequence[Record]) -> list[Id]:
        """Insert a batch.

        :returns: the ids.
        """
        self.insert(batch)
        return [record.id for record in batch]

    @abstractmethod
    def insert(
        self, records: Sequence[Record], *, note: Mapping[str, object] | None = None
    ) -> None:
        """Put all of them into the store, or none, made now if there was none.

        They outlive the process once this returns.

        :param records: of several with one id, the last counts.
        :param note: JSON values that the store keeps in the place of those it had, not
            before the records are there.
        :raises StoreMismatch: if their length is not that of the store's vectors.
        :raises InvalidRecord: if it lacks a column, or has other values in one.
        """

    @abstractmethod
    def note(self) -> Mapping[str, object] | None:
        """What was noted last; None if nothing ever was.

        Empty if a store was made for a batch that has a note, and stopped before it.
        """

    @property
    @abstractmethod
    def exists(self) -> bool:
        """Whether the store has been made, by this operator or another program."""

    def finish(self) -> None:
        """Put the store in order after many insertions."""


class SearchOperator(StoreOperator):
    """Finds a store's vectors that are nearest to a query."""

    batch_size = 64

    allow_mixed_spaces: bool = False
    """Whether queries of another space than the store's are compared all the same."""

    def for_space(self, space: EmbeddingSpace) -> Self:
        """Hold the space of queries against that of the store.

        :raises SpacesDiffer: with every difference.
        """
        if not self.allow_mixed_spaces:
            hint = f"{_MIXED}, or give `allow_mixed_spaces=True`"
            check_spaces(self.place, held=self.held_space, given=space, hint=hint)
        return self

    def prepare(self, query: object) -> Vector:
        """Check one query.

        :raises InvalidRecord: if it is no vector of finite numbers.
        """
        return parse_vector(query)

    @abstractmethod
    def predict(self, batch: Sequence[Vector]) -> list[SearchResult]:
        """Find the nearest of each query.

        :raises StoreMismatch: if a query's length is not that of the vectors.
        """


def last_of_each(records: Sequence[Record]) -> list[Record]:
    """Records without those that a later one of the same id replaces."""
    return list({record.id: record for record in records}.values())


def check_store(
    store: str,
    *,
    metric: str | None,
    made_with: str | None,
    length: int | None = None,
    expected: int | None = None,
) -> None:
    """Refuse what does not fit a store; None fits.

    >>> check_store("photos", metric="L2", made_with="cosine")
    Traceback (most recent call last):
    ...
    plugin_spec.vector_stores.StoreMismatch: `photos` was made with the metric ...

    :raises StoreMismatch: with what the store has, and what was asked.
    """
    if metric and made_with and metric != made_with:
        raise StoreMismatch(
            f"`{store}` was made with the metric `{made_with}`, not `{metric}`",
            hint=f"Leave out `metric`, or say `metric='{made_with}'`",
        )
    if length and expected and length != expected:
        raise StoreMismatch(
            f"`{store}` holds vectors of {expected} dimensions, got {length}",
            hint="Embed with the operator and options that the store was filled with",
        )


def check_columns_there(
    store: str, wanted: Sequence[str], columns: Sequence[str]
) -> None:
    """Refuse a store without the columns for id and vector.

    :raises StoreMismatch: naming the first, and the columns that there are.
    """
    if missing := [name for name in wanted if name not in columns]:
        listed = ", ".join(f"`{name}`" for name in columns)
        raise StoreMismatch(
            f"`{store}` has no column `{missing[0]}`, it has {listed}",
            hint="Name the columns: `id='…', vector='…'`",
        )
