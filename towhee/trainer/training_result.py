"""What came out of a training, and the folder that keeps it."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hub_client.atomic_file import write_atomically
from towhee.trainer.curves import draw_curves
from towhee.trainer.model_card import Origin, model_card
from towhee.trainer.training_config import TrainingConfig

if TYPE_CHECKING:
    from plugin_spec import TrainableOperator
    from towhee.data.samples import Samples
    from towhee.trainer.run import Run

FACTS: Final = "training.json"
_PLACE: Final = ("epoch", "step", "lr")
_PACKAGES: Final = ("towhee-hub", "torch", "accelerate")


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """Where a training's files are, and what was measured as it went on.

    :param trained_on: name, images and classes; ``evaluated_on`` as well.
    """

    output_dir: Path
    config: dict[str, Any]
    history: tuple[dict[str, Any], ...]
    metric: str
    trained_on: dict[str, Any]
    evaluated_on: dict[str, Any] | None
    best: dict[str, Any] | None
    kept_best: bool
    stop_reason: str | None
    seconds: float

    @classmethod
    def of(
        cls, run: Run, samples: Samples, evaluation: Samples | None, seconds: float
    ) -> TrainingResult:
        """What a run came to."""
        return cls(
            output_dir=Path(run.config.output_dir),
            config=run.config.to_dict(),
            history=tuple(run.history),
            metric=run.config.metric,
            trained_on=_facts(samples),
            evaluated_on=None if evaluation is None else _facts(evaluation),
            best=None if run.best is None else asdict(run.best),
            kept_best=bool(run.config.load_best_model_at_end and run.best),
            stop_reason=run.stop_reason,
            seconds=seconds,
        )

    @property
    def figures(self) -> dict[str, float]:
        """What was measured of the weights that were kept."""
        if not self.history:
            return {}
        kept = (self.best if self.kept_best else None) or self.history[-1]
        rows = [row for row in self.history if row["step"] == kept["step"]]
        return {name: value for row in rows for name, value in row.items()}

    @property
    def measured(self) -> dict[str, float]:
        """The figures by the metric's own name; finite ones, for who was not there."""
        return {
            name.replace("epoch_metric", self.metric): value
            for name, value in self.figures.items()
            if name not in _PLACE and math.isfinite(value)
        }

    def write(
        self, operator: TrainableOperator, folder: Path, origin: Origin | None = None
    ) -> None:
        """Write the operator, what it was trained with, and what was measured."""
        operator.save(folder)
        facts = self.to_dict(operator)
        TrainingConfig(**self.config).save_to_yaml(folder / "training.yaml")
        _write(folder / FACTS, _json(facts))
        _write(folder / "metrics.json", _json(list(self.history)))
        _write(folder / "metrics.csv", _csv(self.history))
        draw_curves(self.history, self.metric, folder / "curves.png")
        place = {"epoch": self.figures["epoch"]} if self.figures else {}
        card = model_card({**facts, "figures": place | self.measured}, origin)
        _write(folder / "README.md", card)

    def to_dict(self, operator: TrainableOperator) -> dict[str, Any]:
        """All of it as JSON values, with what the operator says of itself now."""
        own = asdict(self)
        del own["history"], own["output_dir"]
        return {
            "operator": dict(operator.describe()),
            **own,
            "figures": self.figures,
            "packages": {name: version(name) for name in _PACKAGES},
        }

    def __str__(self) -> str:
        return table(self.history, self.metric)


def table(history: tuple[dict[str, Any], ...], metric: str) -> str:
    """The history as lines: a row for each epoch, and each evaluation between them.

    >>> print(table(({"epoch": 1, "step": 9, "train_epoch_loss": 0.5},), "Accuracy"))
    epoch   step    loss  accuracy  evaluation loss  evaluation accuracy
        1      9  0.5000
    """
    word = metric.lower()
    columns = {
        "train_epoch_loss": "loss",
        "train_epoch_metric": word,
        "eval_epoch_loss": "evaluation loss",
        "eval_epoch_metric": f"evaluation {word}",
    }
    lines = ["epoch   step    loss  " + "  ".join([*columns.values()][1:])]
    for row in history:
        cells = [
            f"{row[name]:>{max(6, len(title))}.4f}" if name in row else ""
            for name, title in columns.items()
        ]
        lines.append(f"{row['epoch']:>5}{row['step']:>7}  {'  '.join(cells)}".rstrip())
    return "\n".join(lines)


def _facts(samples: Samples) -> dict[str, Any]:
    classes = list(samples.classes)
    return {"name": samples.name, "images": len(samples), "classes": classes}


def _csv(history: tuple[dict[str, Any], ...]) -> str:
    names = dict.fromkeys(name for row in history for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


def _write(path: Path, text: str) -> None:
    write_atomically(path, text.encode())
