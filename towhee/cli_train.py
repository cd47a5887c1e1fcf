"""``hub train``: make a model one's own, from a folder of images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub_client.cli import options
from hub_client.cli.console import format_count, format_duration
from hub_client.cli.session import Session
from towhee import cli_options
from towhee.executors import DEFAULT_ENGINE

if TYPE_CHECKING:
    from towhee.trainer.training_config import TrainingConfig
    from towhee.trainer.training_result import TrainingResult


def train(  # noqa: PLR0913  (one a flag)
    session: Session,
    *,
    operator: cli_options.OperatorWithModel,
    data: cli_options.LabelledImages,
    judged: Annotated[
        str | None,
        typer.Option(
            "--eval", metavar="DIR", help="Such a folder to judge it by, held out."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="How to train: fields of TrainingConfig."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="OUT", help="Goes before the file's `output_dir`."
        ),
    ] = None,
    model: cli_options.ModelName = None,
    option: cli_options.Options = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", help="What it is to be published as: org/name."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a training was killed.")
    ] = False,
    engine: Annotated[
        str,
        typer.Option("--engine", metavar="ENGINE", help="`local`, or `ray`."),
    ] = DEFAULT_ENGINE,
    num_workers: Annotated[
        int | None,
        typer.Option(
            "--num-workers", metavar="N", help="Workers of `ray` that train together."
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Train an operator on images with labels, and keep it in a folder.

      hub train image-embedding/timm --model resnet18 --data cats/ --eval held-out/

    OUT holds weights, preprocessing, figures, curves and a model card. The option
    `checkpoint_path` reads it, and `hub publish OUT` publishes it as a pipeline.
    What a training left there is replaced, unless `overwrite_output_dir` is false.
    """
    from towhee.data import dataset  # noqa: PLC0415  (as it is used)

    settings = _settings(config, output)
    samples = dataset(data)
    evaluation = None if judged is None else dataset(judged)
    runner = cli_options.load(session, operator, option, model_name=model)
    result = runner.train(
        settings,
        samples,
        evaluation,
        callbacks=_watching(session),
        resume=resume,
        name=name,
        engine=engine,
        **({} if num_workers is None else {"num_workers": num_workers}),
    )
    if as_json:
        session.console.result_json(_to_dict(result))
        return
    session.console.result(str(result))
    session.console.say(_told(result))


def _settings(config: Path | None, output: Path | None) -> TrainingConfig:
    from towhee.trainer.errors import InvalidTrainingConfig  # noqa: PLC0415
    from towhee.trainer.training_config import TrainingConfig  # noqa: PLC0415

    settings = TrainingConfig()
    if config is not None:
        if not config.is_file():
            raise InvalidTrainingConfig(["there is no such file"], source=str(config))
        settings.load_from_yaml(config)
    if output is not None:
        settings.output_dir = str(output)
    return settings


def _watching(session: Session) -> list[Any]:
    """The bar where somebody sees one; lines of epochs unless quiet is wanted."""
    from towhee.trainer.callbacks.progress import ProgressBar  # noqa: PLC0415

    console = session.console
    return [ProgressBar(live=console.is_live, quiet=console.quiet)]


def _told(result: TrainingResult) -> str:
    judged = result.evaluated_on is not None
    figure = result.figures.get("eval_epoch_metric" if judged else "train_epoch_metric")
    what = f"{result.metric} {figure:.4f}, " if figure is not None else ""
    count = format_count(result.trained_on["images"], "image")
    took = format_duration(result.seconds)
    return f"{what}after {took} on {count}, in `{result.output_dir}`"


def _to_dict(result: TrainingResult) -> dict[str, object]:
    return {
        "output": str(result.output_dir),
        "metric": result.metric,
        "figures": result.figures,
        "history": list(result.history),
        "trained_on": result.trained_on,
        "evaluated_on": result.evaluated_on,
        "stop_reason": result.stop_reason,
        "seconds": round(result.seconds, 3),
    }
