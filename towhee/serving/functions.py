"""A chain to call with one value, or with what several callers wait for."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from towhee.binding import bind
from towhee.bound import BoundOperator
from towhee.executors import DEFAULT_ENGINE
from towhee.executors.fusion import Failed, fused_pairs
from towhee.executors.local import LocalExecutor
from towhee.executors.segments import failed
from towhee.maybe import Empty, Some
from towhee.outcome import OperatorFailed, Outcome
from towhee.serving.requests import requests_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

    from towhee.chain import Chain
    from towhee.executors.fusion import Pairs
    from towhee.executors.segments import Functions, Segment


class Function:
    """What ``as_function`` gives; its operators are loaded when it is first called."""

    def __init__(self, chain: Chain) -> None:
        """Find every operator, and check that they fit.

        :raises NotCallable: if the chain has rows of its own.
        """
        self.requests = requests_of(chain)
        self.bound = bind(chain.pipeline)
        self._chain = chain
        self._is_rowwise = chain.rows is self.requests
        local = chain.engine.name == DEFAULT_ENGINE
        self._executor = _OneByOne() if local else chain.engine.executor()
        self._gives_several = not self._is_rowwise or any(
            getattr(step, "kind", None) == "flat_map" for step in self.bound.steps
        )

    @property
    def gains_from_batches(self) -> bool:
        """Whether a model computes several rows faster than one after the other."""
        return self._is_rowwise and any(
            isinstance(step, BoundOperator) and step.load().model is not None
            for step in self.bound.steps
        )

    def load(self) -> Self:
        """Load every operator now, rather than at the first call."""
        self.bound.load()
        return self

    def __call__(self, *values: Any) -> Any:  # noqa: ANN401  (what the chain takes and gives)
        """Process one row: a value, or one for each column of the API.

        :returns: what the row becomes, None if a filter drops it; a list if the chain
            has steps that make several rows of one, or change their number or order.
        :raises OperatorFailed: naming the operator and what it was given.
        """
        row = self.requests.row(values)
        try:
            if not self._is_rowwise:
                with self.requests.giving(row):
                    return list(self._chain.values())
            results = self._executor.values(self.bound, [row])
            return list(results) if self._gives_several else next(results, None)
        except OperatorFailed as error:
            # Its number says nothing, since it is the only row.
            cause = error.__cause__ or error
            raise OperatorFailed(
                error.operator, error.input, cause, row=None
            ) from error.__cause__

    def answers(self, requests: Sequence[tuple[Any, ...]]) -> list[Outcome]:
        """Process the values of several calls, together if that is faster."""
        if len(requests) > 1 and self.gains_from_batches:
            rows = [self.requests.row(values) for values in requests]
            # What ends the program fails its own request; the others go on without it.
            with suppress(SystemExit):
                return self._together(rows)
        return [self._alone(values) for values in requests]

    def _alone(self, values: tuple[Any, ...]) -> Outcome:
        try:
            value = self(*values)
        except OperatorFailed as error:
            return Outcome(0, error=error)
        except SystemExit as error:
            row, steps = self.requests.row(values), str(self._chain.pipeline)
            return Outcome(0, error=OperatorFailed(steps, row, error, row=None))
        if isinstance(value, Empty):
            return Outcome(0, error=value.error)
        return Outcome(0, value.value if isinstance(value, Some) else value)

    def _together(self, rows: list[Any]) -> list[Outcome]:
        found: defaultdict[int, list[Outcome]] = defaultdict(list)
        for outcome in self._chain.engine.executor().run(self.bound, rows):
            found[outcome.row].append(outcome)
        return [self._joined(number, found[number]) for number in range(len(rows))]

    def _joined(self, number: int, outcomes: list[Outcome]) -> Outcome:
        for outcome in outcomes:
            if outcome.error is not None or not self._gives_several:
                return outcome
        several = [outcome.value for outcome in outcomes]
        return Outcome(number, several if self._gives_several else None)

    def __reduce__(self) -> tuple[object, ...]:
        return Function, (self._chain,)

    def __repr__(self) -> str:
        columns = ", ".join(self.requests.columns) or "value"
        return f"<function of {columns}: {self._chain.pipeline}>"


class _OneByOne(LocalExecutor):
    """Takes rows through in the caller's thread: one alone has no use for more."""

    def __init__(self) -> None:
        super().__init__(workers=1)

    def _apply(
        self, part: Functions, stack: ExitStack, pairs: Pairs, *, strict: bool
    ) -> Pairs:
        del stack
        return fused_pairs(part.calls, pairs, strict=strict)

    def _work(self, segment: Segment, pairs: Pairs, stack: ExitStack) -> Pairs:
        del stack
        model = () if segment.model is None else (segment.model,)
        for row, value in pairs:
            result = value
            if type(value) is not Failed:
                for step in (*segment.operators, *model):
                    try:
                        result = step.apply(result)
                    except (Exception, SystemExit) as error:  # noqa: BLE001  (the row's failure)
                        result = failed(step, result, error, row)
                        break
            yield row, result
