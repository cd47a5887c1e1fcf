"""Engines: how a bound pipeline runs over rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from towhee.bound import BoundPipeline
    from towhee.executors.explanation import Explanation
    from towhee.outcome import Outcome
    from towhee.row_numbers import RowNumbers

DEFAULT_ENGINE: Final = "local"


class UnknownEngine(HubError, ValueError):
    """No installed distribution provides an engine of that name."""


class InvalidEngineOptions(HubError, TypeError):
    """An engine does not take these options."""


class Executor(ABC):
    """Runs a bound pipeline; what an engine's factory returns has these methods.

    A row is its number in the source and its value. The value is bare, not boxed, while
    a chain has one column without a name.
    """

    @abstractmethod
    def run(
        self, bound: BoundPipeline, rows: Iterable[object], *, start: int = 0
    ) -> Iterator[Outcome]:
        """Give one outcome a row, in order, and none for a row that a filter drops.

        Closing the iterator stops the work and leaves no thread or process behind.

        :param rows: pulled in the calling thread, at most a bounded number ahead. Those
            that have numbers of their own, as ``towhee.row_numbers.numbered`` gives,
            keep them.
        :param start: the number of the first row.
        """

    def lasting(self) -> AbstractContextManager[None]:
        """Let what a run has started stay for the next ones, until this ends."""
        return nullcontext()

    def explain(self, bound: BoundPipeline) -> Explanation:
        """How the next run would go, as far as this engine says."""
        from towhee.executors.explanation import (  # noqa: PLC0415  (it imports us)
            Explanation,
            StagePlan,
        )

        steps = ".".join(map(str, bound.steps))
        return Explanation((StagePlan(steps, f"as {type(self).__name__} decides"),))

    def values(
        self, bound: BoundPipeline, rows: Iterable[object], *, start: int = 0
    ) -> Iterator[object]:
        """Give the values alone.

        :raises OperatorFailed: in the place of the first row that failed.
        """
        for outcome in self.run(bound, rows, start=start):
            yield _value(outcome, wrapped=bound.ends_safe)

    def noted_values(
        self, bound: BoundPipeline, rows: Iterable[object], numbers: RowNumbers
    ) -> Iterator[object]:
        """Give the values alone; ``numbers`` takes that of each row before it comes."""
        for outcome in self.run(bound, rows):
            numbers.note(outcome.row)
            yield _value(outcome, wrapped=bound.ends_safe)


def _value(outcome: Outcome, *, wrapped: bool) -> object:
    if not wrapped:
        return outcome.unwrap()
    from towhee.maybe import Empty, Some  # noqa: PLC0415  (the program would wait for it)

    return Some(outcome.unwrap()) if outcome.error is None else Empty(outcome.error)
