"""The images whose neighbours changed most, as a page that needs no other file."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from towhee.display.media import Unshowable, image_tag
from towhee.display.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from towhee.studies.drift import Case, Drift

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em }
table { border-collapse: collapse } th, td { padding: 4px 10px; text-align: left }
section { border-top: 1px solid #ccc; margin-top: 2em }
figure { display: inline-block; margin: 4px; vertical-align: top; width: 134px }
figure.other img { outline: 3px solid #d60 }
figcaption { font-size: 12px; overflow-wrap: anywhere }
"""


def drift_page(drift: Drift, files: Sequence[Path], names: tuple[str, str]) -> str:
    """Write it; every name is escaped, and thumbnails lie within.

    :param files: the images, in the order in which they were measured.
    :param names: of what made the old vectors and the new ones.
    """
    old, new = (escape(printable(each)) for each in names)
    head = f"<h1>Drift</h1><p>{old} → {new}, {drift.images:,} images</p>"
    sections = "".join(_section(case, files) for case in drift.worst)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Drift</title>'
        f"<style>{_STYLE}</style>{head}<p><b>{escape(drift.reason)}</b></p>"
        f"{_differences(drift)}<h2>Where neighbours changed most</h2>"
        "<p>What was no neighbour before has a frame.</p>"
        f"{sections}</html>\n"
    )


def _differences(drift: Drift) -> str:
    if not drift.differences:
        return ""
    rows = "".join(f"<li>{escape(each)}</li>" for each in drift.differences)
    return f"<h2>What differs</h2><ul>{rows}</ul>"


def _section(case: Case, files: Sequence[Path]) -> str:
    cosine = "" if case.cosine is None else f", cosine {case.cosine:.4f}"
    strips = "".join(_strips(case, files))
    return (
        f"<section>{_figure(files[case.image])}"
        f"<p>{case.overlap:.2f} of its neighbours stayed{cosine}</p>{strips}</section>"
    )


def _strips(case: Case, files: Sequence[Path]) -> Iterator[str]:
    rows = {"before": case.old, "after, rebuilt": case.new}
    if case.kept is not None:
        rows["after, in the old index"] = case.kept
    for name, row in rows.items():
        figures = "".join(_figure(files[each], each not in case.old) for each in row)
        yield f"<h3>{name}</h3>{figures}"


def _figure(file: Path, is_other: bool = False) -> str:
    name = escape(printable(str(file)))
    try:
        picture = image_tag(file)
    except Unshowable:
        picture = "(cannot be shown)"
    kind = ' class="other"' if is_other else ""
    return f"<figure{kind}>{picture}<figcaption>{name}</figcaption></figure>"
