"""What an operator's model looks at, for calls and for rows."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.attribution.errors import CannotExplain
from plugin_spec.attribution.methods import check_method
from plugin_spec.attribution.subject import Explains
from towhee.callable_pipeline import CallablePipeline
from towhee.columns import Columns
from towhee.outcome import OperatorFailed
from towhee.pipelines import FunctionCall, OperatorCall, Pipeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugin_spec import Trainee
    from plugin_spec.attribution.heatmap import Heatmap
    from towhee.bound import BoundOperator
    from towhee.loaded_operator import LoadedOperator
    from towhee.pipelines import Call

_COLUMN: Final = "heatmap"
"""Where it is written in rows that have columns."""


def explain_last(
    steps: Sequence[BoundOperator],
    image: object,
    target: object,
    method: str | None,
    trainee: Trainee | None = None,
) -> Heatmap:
    """Explain what the last step makes; the others make what it is given.

    :param target: a class of the last step, or a vector; otherwise, what goes through
        the others as ``image`` does.
    :param trainee: a model in training, which is explained in place of its own.
    :raises CannotExplain: if it cannot explain, or not so.
    :raises OperatorFailed: if a step before it fails.
    """
    *earlier, last = (step.load() for step in steps)
    explains = _explaining(last)
    if not (target is None or _is_answer(target, explains)):
        target = _through(earlier, target)
    image = _through(earlier, image)
    return explains.explain(image, target, method=method, trainee=trainee)


def with_heatmaps(
    calls: Sequence[Call], target: object, method: str | None
) -> Pipeline:
    """Calls that explain what the last of ``calls`` makes of a row.

    Rows with columns have one more of them; others are heatmaps.

    :raises CannotExplain: if the last call is of no operator.
    """
    check_method(method)
    *before, last = calls or (None,)
    if isinstance(last, FunctionCall) and isinstance(last.function, CallablePipeline):
        explaining = ExplainRow(last.function, (), target, method)
    elif isinstance(last, OperatorCall):
        call = OperatorCall(last.name, last.options)
        explaining = ExplainRow(Pipeline((call,)), _decoding(before), target, method)
    else:
        raise CannotExplain(
            "There are heatmaps of what an operator makes, and here is none last",
            hint="Call `explain` right after the operator, such as "
            "`image_embedding.timm()`",
        )
    if last.columns is None:
        return Pipeline((*before, FunctionCall("map", explaining, method="explain")))
    columns = Columns(last.columns.inputs, (_COLUMN,))
    heatmap = FunctionCall("map", explaining, columns, method="explain")
    return Pipeline((*calls, heatmap))


class ExplainRow:
    """A function of a row: the operator is found and loaded at the first one.

    :param before: operators that make what it takes, for a target that is a path.
    """

    def __init__(
        self,
        explained: Pipeline | CallablePipeline,
        before: tuple[Call, ...],
        target: object,
        method: str | None,
    ) -> None:
        self._arguments = explained, before, target, method
        self._found: tuple[CallablePipeline, object] | None = None

    def __call__(self, image: object) -> Heatmap:
        """Explain one."""
        explained, before, target, method = self._arguments
        if self._found is None:
            if isinstance(explained, Pipeline):
                explained = CallablePipeline(explained)
            self._found = explained, _once(explained, before, target)
        found, asked = self._found
        return explain_last(found.operators, image, asked, method)

    def __reduce__(self) -> tuple[object, ...]:
        return ExplainRow, self._arguments


def _once(explained: CallablePipeline, before: tuple[Call, ...], target: Any) -> object:  # noqa: ANN401
    """The target as a class or a vector, which are the same for each row."""
    explains = _explaining(explained.operators[-1].load())
    if target is None or _is_answer(target, explains):
        return target
    if hasattr(target, "shape") or hasattr(target, "convert"):
        return explained(target)
    return CallablePipeline(Pipeline((*before, *explained.calls)))(target)


def _decoding(calls: Sequence[Call]) -> tuple[Call, ...]:
    """The operators that stand at the end, without their columns."""
    found: list[Call] = []
    for call in reversed(calls):
        if not isinstance(call, OperatorCall):
            break
        found.insert(0, OperatorCall(call.name, call.options))
    return tuple(found)


def _explaining(last: LoadedOperator) -> Explains:
    explains: Any = last.operator
    if not isinstance(explains, Explains):
        raise CannotExplain(
            f"`{last.name}` cannot explain what it makes",
            hint="Ask an operator that can, such as `image-embedding/timm`",
        )
    return explains


def _is_answer(target: Any, explains: Explains) -> bool:  # noqa: ANN401
    """Whether a target is one as it stands: a class, or a vector."""
    if isinstance(target, str):
        return target in explains.classes
    return isinstance(target, Integral) or getattr(target, "ndim", None) == 1


def _through(steps: Sequence[LoadedOperator], value: object) -> object:
    for step in steps:
        try:
            value = step.apply(value)
        except (Exception, SystemExit) as error:
            raise OperatorFailed(step.name, value, error, row=None) from error
    return value
