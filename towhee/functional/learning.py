"""Steps that learn from all rows, and use what was learned on others."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from towhee.functional.core import Core
from towhee.learning.calls import StatefulCall
from towhee.learning.lessons import Lesson
from towhee.learning.modes import Mode
from towhee.learning.predictions import Prediction, Predictions
from towhee.learning.state import State
from towhee.pipelines import FunctionCall

if TYPE_CHECKING:
    from typing import Self

    from towhee.columns import Columns
    from towhee.pipelines import OperatorCall


class Learning(Core):
    """Train operators on the rows of one collection, and use them on others."""

    __slots__ = ()

    def set_training(self, state: State | None = None) -> Self:
        """Let operators that learn do so from here on, and keep it in ``state``.

        One learns from all rows, then goes on with what it predicts for each. It does
        so once: when a row is asked for, or what it learned.

        >>> from towhee import State
        >>> state = State()
        >>> train = DataCollection([(1, "small"), (2, "small"), (8, "big"), (9, "big")])
        >>> _ = train.set_training(state).decision_tree(name="size")
        >>> test = DataCollection([0, 10]).set_evaluating(state)
        >>> test.decision_tree(name="size").to_list()
        ['small', 'big']

        :param state: the collection's own, or a new one, by default.
        """
        return self._mode("training", state)

    def set_evaluating(self, state: State | None = None) -> Self:
        """Let operators that learn use what ``state`` holds.

        >>> from towhee import State
        >>> state = State()
        >>> _ = DataCollection([0, 4]).set_training(state).min_max_scaler()
        >>> DataCollection([1, 2]).set_evaluating(state).min_max_scaler().to_list()
        [array([0.25]), array([0.5])]

        :param state: the collection's own by default.
        """
        return self._mode("evaluating", state)

    def get_state(self) -> State | None:
        """What the operators of this chain learned, or will learn.

        >>> DataCollection([1, 2]).set_training().standard_scaler().get_state()
        State(standard_scaler=…)
        """
        learning = self._chain.learning
        return learning.state if learning else None

    def _operate(self, call: OperatorCall) -> Self:
        """Have an operator learn, if it has a ``name`` for its state."""
        options = dict(call.options)
        if not self._chain.learning or "name" not in options:
            return super()._operate(call)
        name = str(options.pop("name"))
        return self._stateful(str(call.name), name, call.columns, options)

    def _mode(
        self, mode: Literal["training", "evaluating"], state: State | None
    ) -> Self:
        if state is None:
            state = self.get_state()
        if state is None:
            state = State()
        if not isinstance(state, State):
            raise TypeError(f"what is learned is kept in a `State()`, not in {state!r}")
        before = self._chain.learning
        names = before.names if before and before.state is state else frozenset()
        return type(self)(self._chain.derive(learning=Mode(mode, state, names)))

    def _stateful(
        self,
        source: str,
        name: str,
        columns: Columns | None,
        options: dict[str, object],
    ) -> Self:
        learning = Mode.of(self._chain, source).with_name(name)
        call = StatefulCall(source, name, options, columns, learning.state)
        here = type(self)(self._chain.derive(learning=learning))
        if learning.name == "evaluating" and self.is_stream:
            return here.then(FunctionCall("map", Prediction(call)))
        if learning.name == "evaluating":
            predictions = Predictions(call, safe=self.is_safe)
            return here.rearranged(str(call), predictions, boxed=True)
        lesson = Lesson(call, safe=self.is_safe)
        taught = here.rearranged(str(call), lesson, boxed=True)
        learning.state.expect(name, partial(_compute, taught))
        return taught


def _compute(collection: Core) -> None:
    """Have every step of a chain learn."""
    if collection.is_stream:
        next(iter(collection), None)
    else:
        len(collection)
