"""Operators that learn, as a chain names them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from plugin_spec.errors import InvalidOperator
from plugin_spec.names import OperatorName
from plugin_spec.stateful import StatefulOperator
from towhee.bound import BoundOperator
from towhee.learning.estimators import KINDS, Estimator
from towhee.pipelines import OperatorCall, Pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from towhee.columns import Columns
    from towhee.learning.state import State


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

    def read_features(
        self, rows: Sequence[Any], features: int, targets: int
    ) -> list[tuple[Any, ...]]:
        """What it is given of rows to predict for, without what was to be learned.

        A row need not have that, whether or not its column is named.
        """
        whole = features + targets
        if self.columns is not None and len(self.columns.inputs) == whole:
            columns = replace(self.columns, inputs=self.columns.inputs[:features])
            call = replace(self, columns=columns)
            return [call.read(row) for row in rows]
        return [
            values[:features] if len(values) == whole else values
            for values in map(self.read, rows)
        ]

    def write(self, row: Any, output: Any) -> Any:  # noqa: ANN401
        """The row as it goes on."""
        return output if self.columns is None else self.columns.write(row, output)

    def __str__(self) -> str:
        path = self.source.replace("/", ".").replace("-", "_")
        return f"{path}{self.columns or ''}(name={self.name!r})"
