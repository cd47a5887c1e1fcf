"""The base class of operators that learn."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from plugin_spec.operator import Operator

if TYPE_CHECKING:
    from collections.abc import Sequence


class StatefulOperator(Operator):
    """An operator that learns from all rows before it gives a value for any.

    An instance learns once: ``feed`` for each row, then ``fit``. From then on threads
    may call ``predict`` at once. A chain uses it after ``set_training`` or
    ``set_evaluating``, with the option ``name``: where its state is kept.
    """

    targets: ClassVar[int] = 0
    """How many of the last inputs are what it learns to predict.

    ``feed`` is given them, ``predict`` is not.
    """

    @abstractmethod
    def feed(self, *inputs: Any) -> None:  # noqa: ANN401  (ports give the types)
        """Take one row to learn from."""

    @abstractmethod
    def fit(self) -> None:
        """Learn from the rows that were fed, and let go of them."""

    @abstractmethod
    def predict(self, batch: Sequence[tuple[Any, ...]]) -> Sequence[Any]:
        """Give one output per row of inputs, in order."""

    @abstractmethod
    def save(self) -> bytes:
        """What was learned, for a file."""

    @abstractmethod
    def restore(self, saved: bytes) -> None:
        """Know what ``save`` gave.

        The file may come from a stranger, so that nothing of it may run: never unpickle
        it.
        """

    def __call__(self, *inputs: Any) -> Any:  # noqa: ANN401
        """Process one row, after it has learned."""
        return self.predict([inputs])[0]
