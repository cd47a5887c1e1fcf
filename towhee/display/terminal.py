"""A table as text."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from towhee.display.text import brief, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from towhee.display.html import Formatter
    from towhee.display.table import Table

BOXES: Final = {"plain": None, "grid": "ASCII2", "terminal": "SIMPLE_HEAD"}
"""What is drawn around cells, as rich names it."""


_ENDLESS: Final = 100_000
"""Columns that no table fills."""


def print_table(
    table: Table, tablefmt: str, formatter: Mapping[str, Formatter]
) -> None:
    """Print the table, as wide as the terminal; what is no terminal gets all of it."""
    from rich import box  # noqa: PLC0415  (slow to import)
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table as RichTable  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    style = BOXES[tablefmt]
    grid = RichTable(
        box=getattr(box, style) if style else None,
        show_header=bool(table.header),
        show_edge=tablefmt == "grid",
        pad_edge=tablefmt == "grid",
    )
    names = table.header or table.columns
    for name in names:
        grid.add_column(Text(printable(name)), overflow="fold")
    forms = [formatter.get(name) for name in names]
    for row in table.rows:
        values = zip(row, forms, strict=True)
        shown = [
            brief(form(value) if callable(form) else value) for value, form in values
        ]
        # Text objects: a value is no markup.
        grid.add_row(*map(Text, shown))
    console = Console(file=sys.stdout, force_jupyter=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, width=_ENDLESS, force_jupyter=False)
    with console.capture() as capture:
        console.print(grid)
    for line in capture.get().splitlines():
        print(line.rstrip())  # noqa: T201  (what was asked for)
