"""Steps of a chain that use what was learned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from towhee.learning.estimators import Estimator
from towhee.learning.state import Learned, NotLearned, Saved
from towhee.maybe import Empty, Some
from towhee.outcome import OperatorFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from towhee.learning.calls import StatefulCall

_MAX_BLOCK: Final = 1024


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
        (output,) = self.of([row])
        return output

    def of(self, rows: Sequence[Any]) -> list[Any]:
        """Process several at once.

        :raises NotLearned: as for one.
        """
        call, learned = self._call, self._learned()
        operator = learned.operator
        inputs = call.read_features(rows, learned.features, operator.targets)
        outputs = operator.predict(inputs)
        return [call.write(*pair) for pair in zip(rows, outputs, strict=True)]

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


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predicts for a list, in blocks that grow, so that the first row comes soon."""

    call: StatefulCall
    safe: bool

    def __call__(self, rows: Iterator[Any]) -> Iterator[Any]:
        """Process rows, which are ``Some`` and ``Empty`` in a safe chain.

        :raises OperatorFailed: naming the row.
        """
        predict, number, size = Prediction(self.call), 0, 1
        while block := list(islice(rows, size)):
            yield from self._block(predict, block, number)
            number, size = number + len(block), min(2 * size, _MAX_BLOCK)

    def _block(
        self, predict: Prediction, block: list[Any], number: int
    ) -> Iterator[Any]:
        there = [row for row in block if not (self.safe and isinstance(row, Empty))]
        bare = [row.value for row in there] if self.safe else there
        try:
            values = iter(predict.of(bare))
        except Exception:  # noqa: BLE001  (one of them fails; which one is found below)
            yield from self._one_by_one(predict, block, number)
            return
        for row in block:
            if self.safe:
                yield row if isinstance(row, Empty) else Some(next(values))
            else:
                yield next(values)

    def _one_by_one(
        self, predict: Prediction, block: list[Any], number: int
    ) -> Iterator[Any]:
        for place, row in enumerate(block, number):
            if self.safe and isinstance(row, Empty):
                yield row
                continue
            value = row.value if self.safe else row
            try:
                output = predict(value)
            except Exception as error:
                failed = OperatorFailed(str(self.call), value, error, row=place)
                if not self.safe:
                    raise failed from error
                yield Empty(failed)
            else:
                yield Some(output) if self.safe else output


def _restored(call: StatefulCall, saved: Saved) -> Learned:
    operator = replace(call, options=saved.options).operator()
    if isinstance(operator, Estimator):
        operator.restore(saved.content, trusted=saved.trusted)
    else:
        operator.restore(saved.content)
    return Learned(operator, call.source, saved.options, saved.features)
