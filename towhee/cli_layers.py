"""``hub layers``: which layer of a model serves one's images best."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub_client.cli import options
from hub_client.cli.console import format_table
from hub_client.cli.session import Session
from towhee import cli_options

if TYPE_CHECKING:
    from towhee.studies.layers import LayerStudy


def layers(  # noqa: PLR0913  (one a flag)
    session: Session,
    *,
    operator: cli_options.OperatorWithModel,
    data: cli_options.LabelledImages,
    model: cli_options.ModelName = None,
    option: cli_options.Options = None,
    neighbours: Annotated[
        int,
        typer.Option(
            "--neighbours", metavar="N", min=1, help="How many neighbours count."
        ),
    ] = 5,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE", help="Draw it, too: .png, .svg or .pdf."
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Find which layer of a model serves your images best.

      hub layers image-embedding/timm --model resnet50 --data logos/

    Each image is looked for among all others, at every layer. Precision is the
    part of its nearest neighbours that lie in the same folder as it does. Beside
    it stand its standard error, how long a vector is, and what the model takes
    for an image. Images are read and prepared once for all layers.
    """
    from towhee.data import dataset  # noqa: PLC0415  (as it is used)
    from towhee.studies.layers import study_layers  # noqa: PLC0415
    from towhee.studies.plotting import check_plot, plot_layers  # noqa: PLC0415

    if plot is not None:
        check_plot(plot)
    samples = dataset(data)
    runner = cli_options.load(session, operator, option, model_name=model)
    found = runner.operators[-1].load().operator
    with session.console.working("Embedding", total=len(samples)) as progress:
        study = study_layers(
            found,
            samples,
            neighbours=neighbours,
            advance=progress.advance,
        )
    if plot is not None:
        plot_layers(study, plot)
        session.console.say(f"Drew `{plot}`")
    if as_json:
        session.console.result_json(study.to_dict())
    else:
        session.console.result(f"{_table(study)}\n\n{verdict(study)}")


def _table(study: LayerStudy) -> str:
    head = ("layer", f"precision@{study.neighbours}", "size", "ms per image", "")
    rows = [
        (
            each.layer,
            f"{each.precision:.3f} ± {each.error:.3f}",
            f"{each.size:,}",
            f"{each.milliseconds:.1f}",
            "in use" if each.layer == study.in_use else "",
        )
        for each in study.results
    ]
    return format_table([head, *rows])


def verdict(study: LayerStudy) -> str:
    """What the table says, in a sentence or two."""
    best = study.best
    about = f"{study.images:,} images in {study.classes} classes"
    text = f"`{best.layer}` serves these {about} best"
    if best.layer == study.in_use:
        text += ", and is in use"
    elif study.in_use is not None:
        clear = "clearly better" if study.is_clear else "not clearly better"
        text += f", {clear} than `{study.in_use}`, which is in use"
    text += f"; chance alone gives {study.by_chance:.3f}"
    if study.possible < 1:
        text += (
            f"\nNo layer can give more than {study.possible:.3f}: there are classes of "
            f"{study.neighbours} images or fewer"
        )
    return text
