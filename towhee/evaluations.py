"""What is to be measured, and where in a chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugin_spec.errors import HubError
from towhee.maybe import Empty, Some
from towhee.metrics import Tally, Unmeasurable
from towhee.outcome import short_repr
from towhee.reports import Report

if TYPE_CHECKING:
    from collections.abc import Iterable

    from towhee.chain import Chain
    from towhee.columns import Columns


class NameTaken(HubError, ValueError):
    """Two things that are told apart by name have the same one."""


class NothingToReport(HubError, ValueError):
    """Neither metrics nor columns to measure were named."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Rows of a chain, and the two columns to compare; without, rows are pairs."""

    name: str
    chain: Chain
    columns: Columns | None

    def pair(self, row: Any) -> tuple[object, object]:  # noqa: ANN401  (any row)
        """What is actual, and what was predicted.

        :raises MissingColumn: naming the nearest.
        """
        pair = row if self.columns is None else self.columns.read(row)
        if not isinstance(pair, tuple) or len(pair) != 2:  # noqa: PLR2004  (a pair)
            raise Unmeasurable(
                f"{short_repr(pair)} is no pair of an actual and a predicted value",
                hint="Name both columns: `evaluate['actual', 'predicted']()`",
            )
        return pair

    def shares_rows(self, other: Evaluation) -> bool:
        """Whether both measure the same rows, at the same place of the chain."""
        mine, theirs = self.chain, other.chain
        return mine.rows is theirs.rows and mine.pipeline == theirs.pipeline


@dataclass(frozen=True, slots=True)
class Evaluations:
    """Metrics, and what they will be computed of, in order."""

    metrics: tuple[str, ...] = ()
    noted: tuple[Evaluation, ...] = ()

    def with_one(self, evaluation: Evaluation) -> Evaluations:
        """Note one more.

        :raises NameTaken: if there is one of that name.
        """
        if any(other.name == evaluation.name for other in self.noted):
            raise NameTaken(
                f"`{evaluation.name}` is evaluated twice",
                hint="Give each its own: `evaluate['actual', 'predicted'](name='…')`",
            )
        return Evaluations(self.metrics, (*self.noted, evaluation))

    def report(self) -> Report:
        """Read the rows, once for each place of the chain, and measure."""
        tallies = {each.name: Tally(self.metrics) for each in self.noted}
        failed = dict.fromkeys(tallies, 0)
        for here in self._by_place():
            for row in here[0].chain:
                for each in here:
                    if isinstance(row, Empty):
                        failed[each.name] += 1
                    else:
                        value = row.value if isinstance(row, Some) else row
                        tallies[each.name].add(*each.pair(value))
        return Report(
            {name: tally.values() for name, tally in tallies.items()},
            rows={name: tally.rows for name, tally in tallies.items()},
            failed=failed,
        )

    def _by_place(self) -> Iterable[list[Evaluation]]:
        places: list[list[Evaluation]] = []
        for each in self.noted:
            if places and places[-1][0].shares_rows(each):
                places[-1].append(each)
            else:
                places.append([each])
        return places
