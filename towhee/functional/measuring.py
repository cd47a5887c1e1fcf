"""How good what a chain predicts is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from towhee.columns import Columns
from towhee.evaluations import Evaluation, Evaluations, NothingToReport
from towhee.functional.column_method import takes_columns
from towhee.functional.core import Core
from towhee.metrics import known_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from towhee.reports import Report


class Measuring(Core):
    """Measure predictions, and compare models."""

    __slots__ = ()

    def with_metrics(self, metrics: Sequence[str]) -> Self:
        """Say what is measured where the chain is evaluated from here on.

        >>> from towhee.columns import Entity
        >>> rows = [Entity(label="cat", tree="cat"), Entity(label="dog", tree="cat")]
        >>> dc = DataCollection(rows).with_metrics(["accuracy", "confusion_matrix"])
        >>> dc.evaluate["label", "tree"](name="decision tree").report()
                       accuracy  rows
        decision tree    0.5000     2
        decision tree: rows are actual, columns predicted
             cat  dog
        cat    1    0
        dog    1    0

        :param metrics: of those that ``towhee.metrics`` defines: ``accuracy``,
            ``recall``, ``balanced_accuracy`` and ``confusion_matrix`` of labels,
            ``mean_hit_ratio`` and ``mean_average_precision`` of what a search found.
        :raises UnknownMetric: with the nearest name.
        """
        evaluations = Evaluations(known_metrics(metrics), self._evaluations.noted)
        return type(self)(self._chain.derive(evaluations=evaluations))

    @takes_columns()
    def evaluate(
        self, name: str | None = None, *, columns: Columns | None = None
    ) -> Self:
        """Note for the report how a column compares with what is actual.

        Rows go on as they are. None is read before ``report``.

        >>> from towhee.columns import Entity
        >>> rows = [Entity(relevant=["a", "b"], found=["x", "b"])]
        >>> dc = DataCollection(rows).with_metrics(["mean_hit_ratio"])
        >>> dict(dc.evaluate["relevant", "found"]("search").report())
        {'search': {'mean_hit_ratio': 0.5}}

        :param name: in the report; the predicted column's name by default.
        :param columns: the actual one, then the predicted one; without brackets, rows
            are pairs of both.
        :raises NothingToReport: if no metric was named before.
        """
        if not self._evaluations.metrics:
            raise NothingToReport(
                "There is nothing to measure",
                hint="Call `with_metrics(['accuracy'])` first",
            )
        pair = columns and Columns(columns.inputs + columns.outputs)
        name = name or (pair.inputs[-1] if pair else "model")
        evaluation = Evaluation(name, self._chain, pair)
        evaluations = self._evaluations.with_one(evaluation)
        return type(self)(self._chain.derive(evaluations=evaluations))

    def report(self) -> Report:
        """Measure, and give a table of every evaluation; it reads as a dictionary too.

        A stream is read once, in constant memory. Rows that had failed are left out
        and counted beside.

        >>> pairs = DataCollection.range(4).map(lambda number: (number % 2, 0))
        >>> pairs.with_metrics(["accuracy"]).evaluate("zero").report()
              accuracy  rows
        zero    0.5000     4

        :raises NothingToReport: if nothing was evaluated.
        :raises Unmeasurable: naming the first row that a metric is not defined for.
        :raises StreamConsumed: for an iterator evaluated at several places of a chain.
        """
        if not self._evaluations.noted:
            raise NothingToReport(
                "Nothing was evaluated",
                hint="Call `evaluate['actual', 'predicted'](name='model')` first",
            )
        return self._evaluations.report()

    @property
    def _evaluations(self) -> Evaluations:
        return self._chain.evaluations or Evaluations()
