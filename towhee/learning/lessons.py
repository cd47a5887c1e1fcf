"""Steps of a chain that learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugin_spec.errors import HubError
from towhee.learning.state import Learned
from towhee.maybe import Empty, Some
from towhee.outcome import OperatorFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from plugin_spec.stateful import StatefulOperator
    from towhee.learning.calls import StatefulCall


class CannotLearn(HubError, ValueError):
    """An operator could not learn from the rows that it was given."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """Learns from all rows, then gives each with what is predicted for it."""

    call: StatefulCall
    safe: bool = False
    """Rows come as ``Some`` and ``Empty``, and one that cannot be fed becomes that."""

    def __call__(self, rows: Iterable[Any]) -> Iterator[Any]:
        """Read every row, and keep what was learned in the state.

        :raises OperatorFailed: naming the row that the operator could not take.
        :raises CannotLearn: if it cannot learn from these rows together.
        """
        operator = self.call.operator()
        kept = [self._feed(operator, row, number) for number, row in enumerate(rows)]
        fed = [row.inputs for row in kept if isinstance(row, _Fed)]
        outputs = iter(self._learn(operator, fed))
        for row in kept:
            if isinstance(row, _Fed):
                value = self.call.write(row.row, next(outputs))
                yield Some(value) if self.safe else value
            else:
                yield row

    def _feed(self, operator: StatefulOperator, row: Any, number: int) -> _Fed | Empty:  # noqa: ANN401
        if self.safe:
            if isinstance(row, Empty):
                return row
            row = row.value
        try:
            inputs = self.call.read(row)
            operator.feed(*inputs)
        except Exception as error:
            failed = OperatorFailed(str(self.call), row, error, row=number)
            if self.safe:
                return Empty(failed)
            raise failed from error
        return _Fed(row, inputs)

    def _learn(
        self, operator: StatefulOperator, rows: Sequence[tuple[Any, ...]]
    ) -> Sequence[Any]:
        features = len(rows[0]) - operator.targets if rows else 0
        try:
            operator.fit()
            outputs = operator.predict([inputs[:features] for inputs in rows])
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise CannotLearn(
                f"`{self.call}` cannot learn from {len(rows)} rows: {reason}"
            ) from error
        call = self.call
        learned = Learned(operator, call.source, call.options, features)
        call.state.learn(call.name, learned)
        return outputs


@dataclass(frozen=True, slots=True)
class _Fed:
    """A row, and what the operator was given of it."""

    row: Any
    inputs: tuple[Any, ...]
