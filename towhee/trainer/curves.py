"""A training's figures as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from towhee.extras import needed_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_COLOURS = {"train": "tab:blue", "eval": "tab:orange"}


def draw_curves(history: Sequence[dict[str, Any]], metric: str, path: Path) -> None:
    """Draw loss and metric by step, of training and of evaluation.

    :raises MissingExtra: if matplotlib is not installed.
    """
    with needed_for("Drawing curves", extra="train"):
        from matplotlib.figure import Figure

    # A figure of its own asks for no display, and leaves pyplot alone.
    figure = Figure(figsize=(8, 3), layout="constrained")
    for axes, kind in zip(figure.subplots(1, 2), ("loss", "metric"), strict=True):
        for part, colour in _COLOURS.items():
            name = f"{part}_epoch_{kind}"
            points = [(row["step"], row[name]) for row in history if name in row]
            if points:
                label = "training" if part == "train" else "evaluation"
                axes.plot(*zip(*points, strict=True), "o-", color=colour, label=label)
        axes.set_xlabel("step")
        axes.set_ylabel("loss" if kind == "loss" else metric.lower())
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    figure.savefig(path, dpi=100, metadata={"Software": None})
