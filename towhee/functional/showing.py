"""Rows for people."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from html import escape
from importlib import import_module
from operator import index
from typing import TYPE_CHECKING, Any, SupportsIndex

from plugin_spec.nearest import did_you_mean
from towhee.columns import column_names, missing_column
from towhee.functional.core import Core
from towhee.maybe import Empty

if TYPE_CHECKING:
    from collections.abc import Sequence

    from towhee.display.html import Formatter
    from towhee.display.table import Table

_LIMIT = 5


class Showing(Core):
    """A look at the first rows."""

    __slots__ = ()

    def show(
        self,
        limit: int = _LIMIT,
        header: Sequence[str] | None = None,
        tablefmt: str | None = None,
        formatter: Mapping[str, Formatter] | None = None,
    ) -> None:
        """Show the first rows: as HTML in a notebook, as text elsewhere.

        >>> rows = DataCollection([("a.jpg", 640), ("b.jpg", 80)])
        >>> rows.as_entity(["path", "width"]).show()
        path    width
        ─────────────
        a.jpg   640
        b.jpg   80
        >>> rows.as_entity(["path", "width"]).show(1, tablefmt="plain")
        path   width
        a.jpg  640

        No more is computed than that takes, and nothing of it is kept, so that rows are
        computed again when they are asked for. A stream over an iterator has its rows
        back afterwards.

        In a notebook pictures are thumbnails: RGB arrays of uint8, (height, width, 3),
        and those of Pillow, also in lists. Sound can be played: arrays in the column
        ``samples`` beside one named ``rate``, as ``read_audio`` gives them.

        :param limit: how many rows; all, if it is not positive.
        :param header: names for the columns, in place of their own.
        :param tablefmt: ``html``, ``terminal``, ``plain`` or ``grid``.
        :param formatter: by column, ``image``, ``audio`` or ``video`` for paths of such
            files, ``text``, or a function of the value. What it returns is shown as
            values are, HTML only if it has ``_repr_html_``, as IPython's has.
        :raises MissingColumn: if ``formatter`` names none of the columns there are.
        """
        from towhee.display.html import html_table  # noqa: PLC0415  (for who looks)
        from towhee.display.table import Table  # noqa: PLC0415
        from towhee.display.terminal import print_table  # noqa: PLC0415

        if not isinstance(limit, SupportsIndex):
            raise ValueError(f"limit is {limit!r}, and has to be a whole number")  # noqa: TRY004  (as of other numbers)
        if header is not None:
            header = column_names(header)
        form = _checked(tablefmt) or ("html" if _in_notebook() else "terminal")
        forms = _checked_forms(formatter or {})
        count = min(index(limit), sys.maxsize)
        rows = self._chain.peek(count) if count > 0 else list(self)
        table = Table.of(rows, header)
        _check_there(forms, table, rows)
        if form == "html":
            _display(html_table(table, forms))
        else:
            print_table(table, form, forms)

    def _repr_html_(self) -> str:
        # A notebook calls this for what a cell ends with: it must compute nothing.
        from towhee.display.html import html_table  # noqa: PLC0415
        from towhee.display.table import Table  # noqa: PLC0415

        rows = self._chain.at_hand()
        if rows is None:
            return f"<pre>{escape(repr(self))}</pre>"
        shown = html_table(Table.of(rows[:_LIMIT]), {})
        more = f"<p>{_LIMIT} of {len(rows)} rows</p>" if len(rows) > _LIMIT else ""
        return f"{shown}{more}"


def _checked(tablefmt: str | None) -> str | None:
    from towhee.display.terminal import BOXES  # noqa: PLC0415

    known = ["html", *BOXES]
    if tablefmt is not None and tablefmt not in known:
        raise ValueError(
            f"tablefmt is {tablefmt!r}, and has to be one of {', '.join(known)}"
            f"{did_you_mean(str(tablefmt), known)}"
        )
    return tablefmt


def _checked_forms(formatter: Mapping[str, Formatter]) -> Mapping[str, Formatter]:
    from towhee.display.html import FORMS, TOWHEE_FORMS  # noqa: PLC0415

    if not isinstance(formatter, Mapping):
        raise TypeError(f"formatter is {formatter!r}, and has to be a dictionary")
    for name, form in formatter.items():
        if not callable(form) and form not in [*FORMS, *TOWHEE_FORMS]:
            raise ValueError(
                f"the formatter of `{name}` is {form!r}, and has to be a function or "
                f"one of {', '.join(FORMS)}"
            )
    return formatter


def _check_there(
    formatter: Mapping[str, Formatter], table: Table, rows: Sequence[Any]
) -> None:
    """Refuse a formatter for other columns; one for some of them may have more."""
    names = table.header or table.columns
    failed = all(isinstance(row, Empty) for row in rows)
    if formatter and not failed and set(formatter).isdisjoint(names):
        raise missing_column(
            str(next(iter(formatter))), [name for name in names if name]
        )


def _in_notebook() -> bool:
    """Whether there is a page to show HTML on."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return hasattr(shell, "kernel")


def _display(html: str) -> None:
    if not _in_notebook():
        print(html)  # noqa: T201  (what was asked for)
        return
    ipython = import_module("IPython.display")
    ipython.display(ipython.HTML(html))
