"""A table as HTML; every name and every value is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.attribution.heatmap import Heatmap
from towhee.display.media import Unshowable, image_tag, player_tag, sound_tag
from towhee.display.text import brief, image_size, printable
from towhee.extras import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TypeAlias

    from towhee.display.table import Table

    Formatter: TypeAlias = str | Callable[[Any], object]
    """How a column is shown: a word of ``FORMS``, or a function."""

FORMS: Final = ("text", "image", "audio", "video")
"""Ways to show a column."""
TOWHEE_FORMS: Final = {"audio_frame": "audio", "video_path": "video"}
"""Towhee's names for some of them."""
_IMAGES: Final = 4
_CELL: Final = "text-align: left; vertical-align: top; padding: 4px 8px"
_TABLE: Final = "border-collapse: collapse"


def html_table(table: Table, formatter: Mapping[str, Formatter]) -> str:
    """Write the table.

    :param formatter: by a column's name in the header.
    """
    head = "".join(_element("th", escape(printable(name))) for name in table.header)
    lines = [f"<thead><tr>{head}</tr></thead>"] if head else []
    names = table.header or table.columns
    forms = [formatter.get(name) for name in names]
    for row in table.rows:
        # Sound is an array beside its rate.
        rate = dict(zip(table.columns, row, strict=True)).get("rate")
        cells = zip(table.columns, row, forms, strict=True)
        shown = [
            _cell(value, _form(name, form, rate), rate) for name, value, form in cells
        ]
        lines.append(f"<tr>{''.join(_element('td', cell) for cell in shown)}</tr>")
    return f'<table style="{_TABLE}">{"".join(lines)}</table>'


def _element(tag: str, content: str) -> str:
    return f'<{tag} style="{_CELL}">{content}</{tag}>'


def _form(name: str, form: Formatter | None, rate: object) -> Formatter | None:
    if form is None and name == "samples" and rate is not None:
        return "audio"
    return TOWHEE_FORMS.get(form, form) if isinstance(form, str) else form


def _cell(value: Any, form: Formatter | None, rate: object) -> str:  # noqa: ANN401  (any value)
    if callable(form):
        value = form(value)
        # What is HTML says so: a function that makes it knows what it does.
        if hasattr(value, "_repr_html_"):
            return str(value._repr_html_())
        form = None
    try:
        if form == "image":
            return image_tag(value)
        if form in {"audio", "video"}:
            return _media(value, form, rate)
        return _automatic(value, form)
    except Unshowable as error:
        return escape(f"{brief(value)} ({printable(str(error))})")


def _media(value: Any, kind: Any, rate: object) -> str:  # noqa: ANN401
    if kind == "audio" and hasattr(value, "shape"):
        return sound_tag(value, rate)
    return player_tag(value, kind)


def _automatic(value: Any, form: object) -> str:  # noqa: ANN401
    if isinstance(value, Heatmap) and form != "text":
        # What it lies on, and the map beside it.
        value = [value.image, value.picture()]
    images = value if isinstance(value, list | tuple) else [value]
    if form == "text" or not images or any(image_size(each) is None for each in images):
        return escape(brief(value))
    try:
        return "".join(_thumbnails(images))
    except MissingExtra:
        return escape(brief(value))


def _thumbnails(images: list[Any] | tuple[Any, ...]) -> Iterator[str]:
    yield from map(image_tag, images[:_IMAGES])
    if len(images) > _IMAGES:
        yield f" and {len(images) - _IMAGES} more"
