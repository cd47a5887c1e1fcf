"""Several evaluations beside each other: for programs, a terminal and a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING

from towhee.display.text import printable
from towhee.metrics import ConfusionMatrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from towhee.metrics import Measure


class Report(Mapping[str, Mapping[str, "Measure"]]):
    """Measures by the name of the evaluation and of the metric.

    >>> report = Report({"tree": {"accuracy": 0.75}}, rows={"tree": 4})
    >>> report["tree"]["accuracy"]
    0.75
    >>> report
          accuracy  rows
    tree    0.7500     4
    """

    def __init__(
        self,
        measures: Mapping[str, Mapping[str, Measure]],
        *,
        rows: Mapping[str, int],
        failed: Mapping[str, int] | None = None,
    ) -> None:
        """Take what was measured.

        :param rows: how many rows each evaluation is about.
        :param failed: how many had failed before, and were left out.
        """
        self._measures = measures
        self.rows = rows
        self.failed = failed or dict.fromkeys(rows, 0)

    def __getitem__(self, name: str) -> Mapping[str, Measure]:
        return self._measures[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._measures)

    def __len__(self) -> int:
        return len(self._measures)

    def __repr__(self) -> str:
        blocks = [_as_text(self._numbers())]
        for title, matrix in self._matrices():
            blocks += [
                f"{printable(title)}: rows are actual, columns predicted",
                _as_text(matrix),
            ]
        return "\n".join(blocks)

    def _repr_html_(self) -> str:
        parts = [_as_html(self._numbers())]
        for title, matrix in self._matrices():
            caption = f"{title}: rows are actual, columns predicted"
            parts.append(_as_html(matrix, caption))
        return "\n".join(parts)

    def _numbers(self) -> list[list[str]]:
        columns = [
            metric
            for metric, value in next(iter(self._measures.values())).items()
            if not isinstance(value, ConfusionMatrix)
        ]
        counts = {"rows": self.rows}
        if any(self.failed.values()):
            counts["failed"] = self.failed
        table = [["", *columns, *counts]]
        for name, values in self._measures.items():
            measures = [f"{values[metric]:.4f}" for metric in columns]
            table.append([name, *measures, *(str(n[name]) for n in counts.values())])
        return table

    def _matrices(self) -> Iterator[tuple[str, list[list[str]]]]:
        for name, values in self._measures.items():
            for value in values.values():
                if isinstance(value, ConfusionMatrix):
                    labels = [str(label) for label in value.labels]
                    rows = zip(labels, value.counts, strict=True)
                    table = [[label, *map(str, counts)] for label, counts in rows]
                    yield name, [["", *labels], *table]


def _as_text(table: Sequence[Sequence[str]]) -> str:
    """Align columns: names to the left, numbers to the right."""
    table = [[printable(cell) for cell in row] for row in table]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for first, *rest in table:
        cells = [first.ljust(widths[0])]
        cells += map(str.rjust, rest, widths[1:])
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _as_html(table: Sequence[Sequence[str]], caption: str = "") -> str:
    head, *body = ([f"<th>{escape(row[0])}</th>", *row[1:]] for row in table)
    lines = ["<table>"]
    if caption:
        lines.append(f"<caption>{escape(caption)}</caption>")
    lines.append(head[0] + "".join(f"<th>{escape(cell)}</th>" for cell in head[1:]))
    for first, *cells in body:
        lines.append(first + "".join(f"<td>{escape(cell)}</td>" for cell in cells))
    lines[-len(table) :] = [f"<tr>{line}</tr>" for line in lines[-len(table) :]]
    return "\n".join([*lines, "</table>"])
