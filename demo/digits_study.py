"""Train a small model on scikit-learn's digits, and see what its vectors gain.

    python demo/digits_study.py --out digits

The classifier's accuracy is on 594 digits that it did not learn from. Precision@5 is of
retrieval: of the five training digits nearest to each of those, how many are the same
digit. The same is measured of the model before training, and of raw pixels.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from towhee import ops
from towhee.data import dataset
from towhee.trainer.training_config import TrainingConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from towhee.data import Samples

NEAREST = 5


def nearest(vectors: NDArray[Any], gallery: NDArray[Any]) -> NDArray[np.intp]:
    """For each vector, the numbers of those of the gallery that lie nearest to it."""
    squares = (gallery**2).sum(axis=1) - 2 * vectors @ gallery.T
    return np.argsort(squares, axis=1, kind="stable")[:, :NEAREST]


def precision(found: NDArray[np.intp], train: Samples, evaluation: Samples) -> float:
    """The share of what was found that has the query's label."""
    labels, wanted = np.array(train.labels), np.array(evaluation.labels)
    return float((labels[found] == wanted[:, None]).mean())


def pixels(samples: Samples) -> NDArray[np.float32]:
    """Images themselves as vectors of length 1."""
    rows = np.stack([np.asarray(image)[..., 0].ravel() for image, _ in samples])
    rows = rows.astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def draw_neighbours(
    path: Path, train: Samples, evaluation: Samples, rows: Sequence[NDArray[np.intp]]
) -> None:
    """Draw three queries, and what was found of each before and after training."""
    before, after = rows
    queries = [int(each) for each in np.flatnonzero((before != after).any(axis=1))[:3]]
    figure = Figure(figsize=(7, 2.1), layout="constrained")
    axes = figure.subplots(3, 2 * NEAREST + 1, squeeze=False)
    for line, query in zip(axes, queries, strict=False):
        shown = [*after[query][::-1], None, *before[query]]
        for place, number in zip(line, shown, strict=True):
            image, label = evaluation[query] if number is None else train[number]
            place.imshow(image)
            place.set_xticks([])
            place.set_yticks([])
            right = label == evaluation.labels[query]
            colour = "black" if number is None else "tab:green" if right else "tab:red"
            for edge in place.spines.values():
                edge.set(color=colour, linewidth=2)
    axes[0][2].set_title("trained")
    axes[0][NEAREST].set_title("query")
    axes[0][-3].set_title("untrained")
    figure.savefig(path, dpi=100, metadata={"Software": None})


def study(out: Path, epochs: int) -> dict[str, float]:
    """Train, measure, and write figures and pictures.

    :returns: what was measured, by name.
    """
    train, evaluation = (dataset("digits", split=each) for each in ("train", "eval"))
    with warnings.catch_warnings():
        # Digits are smaller than what this model's published weights are for.
        warnings.simplefilter("ignore", UserWarning)
        op = ops.image_embedding.timm(
            model_name="test_resnet", pretrained=False, input_size=32
        )

    def vectors(samples: Samples) -> NDArray[np.float32]:
        return np.stack(op([image for image, _ in samples]))

    raw = nearest(pixels(evaluation), pixels(train))
    before = nearest(vectors(evaluation), vectors(train))
    config = TrainingConfig(
        output_dir=str(out), batch_size=32, epoch_num=epochs, lr=2e-3, seed=0
    )
    result = op.train(config, train_dataset=train, eval_dataset=evaluation)
    after = nearest(vectors(evaluation), vectors(train))
    draw_neighbours(out / "neighbours.png", train, evaluation, (before, after))
    return {
        "accuracy": result.figures["eval_epoch_metric"],
        "precision@5, trained": precision(after, train, evaluation),
        "precision@5, untrained": precision(before, train, evaluation),
        "precision@5, raw pixels": precision(raw, train, evaluation),
    }


def main() -> None:
    """Print the figures as a table, and write them as JSON beside the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("digits"))
    parser.add_argument("--epochs", type=int, default=8)
    arguments = parser.parse_args()
    figures = study(arguments.out, arguments.epochs)
    (arguments.out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    print("| what | value |\n|---|---|")
    for name, value in figures.items():
        print(f"| {name} | {value:.3f} |")


if __name__ == "__main__":
    main()
