"""Layers as a picture: what each finds, and what it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from towhee.extras import needed_for
from towhee.studies.errors import CannotStudy

if TYPE_CHECKING:
    from pathlib import Path

    from towhee.studies.layers import LayerStudy

KINDS: Final = (".png", ".svg", ".pdf")


def check_plot(path: Path) -> None:
    """Refuse what cannot be drawn into, before anything takes time.

    :raises CannotStudy: for a name with another ending, or a folder that is not there.
    :raises MissingExtra: if matplotlib is not installed.
    """
    if path.suffix not in KINDS:
        kinds = ", ".join(f"`{each}`" for each in KINDS)
        raise CannotStudy(f"A plot's name ends in one of {kinds}, not `{path.name}`")
    if not path.parent.is_dir():
        raise CannotStudy(f"There is no folder `{path.parent}` for `{path.name}`")
    with needed_for("Drawing a plot", extra="train"):
        import matplotlib.figure  # noqa: F401


def plot_layers(study: LayerStudy, path: Path) -> None:
    """Draw precision by layer with its error, and below it the time of an image."""
    from matplotlib.figure import Figure

    # A figure of its own asks for no display, and leaves pyplot alone.
    figure = Figure(figsize=(8, 5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    names = [each.layer for each in study.results]
    above.errorbar(
        names,
        [each.precision for each in study.results],
        yerr=[each.error for each in study.results],
        fmt="o-",
        capsize=3,
    )
    above.axhline(study.by_chance, linestyle=":", color="grey", label="by chance")
    above.plot(study.best.layer, study.best.precision, "s", color="tab:orange")
    above.set_ylabel(f"precision@{study.neighbours}")
    above.grid(alpha=0.3)
    above.legend()
    bars = below.bar(names, [each.milliseconds for each in study.results])
    below.bar_label(bars, [f"{each.size:,}" for each in study.results], fontsize=8)
    below.margins(y=0.2)
    below.set_ylabel("ms per image\n(size of a vector)")
    below.tick_params(axis="x", rotation=45 if len(names) > 8 else 0)  # noqa: PLR2004  (fit side by side)
    figure.savefig(path, dpi=100)
