"""One row through a pipeline: with no plan, no batch and no thread."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from towhee.executors.fusion import fused_values
from towhee.outcome import OperatorFailed
from towhee.pipelines import FunctionCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from towhee.bound import BoundPipeline, LoadedStep


def one_row(bound: BoundPipeline, rows: Iterator[Any]) -> Iterator[Any]:
    """Take a row, if there is one, through functions and operators.

    :raises OperatorFailed: naming the function or operator.
    """
    for are_functions, steps in groupby(bound.load(), _is_function):
        if are_functions:
            rows = fused_values(cast("list[FunctionCall]", list(steps)), rows, 0)
        else:
            for step in cast("Iterator[LoadedStep]", steps):
                rows = _applied(step, rows)
    return rows


def _is_function(step: object) -> bool:
    return isinstance(step, FunctionCall)


def _applied(step: LoadedStep, rows: Iterator[Any]) -> Iterator[Any]:
    for row in rows:
        try:
            made = step.apply(row)
        except (Exception, SystemExit) as error:
            raise OperatorFailed(str(step), row, error, row=None) from error
        yield made
