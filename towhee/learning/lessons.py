"""Steps of a chain that learn, and steps that use what was learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugin_spec.errors import HubError, InvalidOperator
from plugin_spec.names import OperatorName
from plugin_spec.stateful import StatefulOperator
from towhee.bound import BoundOperator
from towhee.learning.estimators import KINDS, Estimator
from towhee.learning.state import Learned, NotLearned, Saved
from towhee.maybe import Empty, Some
from towhee.outcome import OperatorFailed
from towhee.pipelines import OperatorCall, Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from towhee.columns import Columns
    from towhee.learning.state import State


class CannotLearn(HubError, ValueError):
    """An operator could not learn from the rows that it was given."""


@dataclass(frozen=True, slots=True)
class StatefulCall:
    """An operator that learns, by name, and where its state is kept."""

    source: str
    name: str
    options: Mapping[str, object]
    columns: Columns | None
    state: State

    def operator(self) -> StatefulOperator:
        """Make it; what is missing is installed.

        :raises InvalidOperator: if it is one that does not learn.
        """
        if self.source in KINDS:
            return Estimator(self.source, dict(self.options))
        from towhee.binding import bind  # noqa: PLC0415  (as it is used)

        name = OperatorName.parse(self.source)
        options = tuple(self.options.items())
        bound = bind(Pipeline((OperatorCall(name, options),)))
        for step in bound.steps:
            if isinstance(step, BoundOperator):
                operator = step.load().operator
                if isinstance(operator, StatefulOperator):
                    # Others share what was loaded; this has a state of its own.
                    return type(operator)(**step.options)
        raise InvalidOperator(
            f"`{name}` learns nothing",
            hint="Leave out `name`, which says where its state is kept",
        )

    def read(self, row: Any) -> tuple[Any, ...]:  # noqa: ANN401  (any row)
        """What the operator is given of a row."""
        if self.columns is None:
            return row if isinstance(row, tuple) else (row,)
        value = self.columns.read(row)
        return value if len(self.columns.inputs) > 1 else (value,)

    def write(self, row: Any, output: Any) -> Any:  # noqa: ANN401
        """The row as it goes on."""
        return output if self.columns is None else self.columns.write(row, output)

    def __str__(self) -> str:
        path = self.source.replace("/", ".").replace("-", "_")
        return f"{path}{self.columns or ''}(name={self.name!r})"


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


class Prediction:
    """Gives a row with what an operator that has learned predicts for it."""

    def __init__(self, call: StatefulCall) -> None:
        self._call = call
        # What a message calls the step that failed.
        self.__qualname__ = str(call)

    def __call__(self, row: Any) -> Any:  # noqa: ANN401  (any row)
        """Process one row.

        :raises NotLearned: if the state holds nothing under the name.
        """
        call = self._call
        learned, inputs = self._learned(), call.read(row)
        if len(inputs) == learned.features + learned.operator.targets:
            inputs = inputs[: learned.features]
        (output,) = learned.operator.predict([inputs])
        return call.write(row, output)

    def _learned(self) -> Learned:
        call = self._call
        found = call.state[call.name]
        if found.source != call.source:
            raise NotLearned(
                f"`{call.name}` was learned by `{found.source}`, not `{call.source}`"
            )
        changed = {
            key: value
            for key, value in call.options.items()
            if key not in found.options or found.options[key] != value
        }
        if changed:
            raise NotLearned(
                f"`{call.name}` was learned with the options {dict(found.options)}, "
                f"not {changed}"
            )
        if isinstance(found, Saved):
            found = _restored(call, found)
            call.state.learn(call.name, found)
        return found


def _restored(call: StatefulCall, saved: Saved) -> Learned:
    options = saved.options
    operator = StatefulCall(
        call.source, call.name, options, call.columns, call.state
    ).operator()
    if isinstance(operator, Estimator):
        operator.restore(saved.content, trusted=saved.trusted)
    else:
        operator.restore(saved.content)
    return Learned(operator, call.source, options, saved.features)
