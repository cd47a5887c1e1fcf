"""An embedding is trained, and judged, by what lies near what."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
import torch
from trainees import Small, points

from towhee.data import Samples
from towhee.metrics import average_precision
from towhee.trainer.batches import Prepared
from towhee.trainer.class_batches import ClassBatches
from towhee.trainer.errors import CannotTrain, InvalidTrainingConfig
from towhee.trainer.retrieval import Retrieval
from towhee.trainer.trainee_module import Outputs
from towhee.trainer.training import Training

if TYPE_CHECKING:
    from collections.abc import Callable

    from towhee.trainer.run import Run
    from towhee.trainer.training_config import TrainingConfig

    Configure = Callable[..., TrainingConfig]


def test_figures_are_those_of_the_definitions() -> None:
    numbers = torch.Generator().manual_seed(0)
    vectors = torch.randn(540, 6, generator=numbers)
    labels = torch.randint(0, 9, (540,), generator=numbers)
    labels[3] = 99
    meter = Retrieval("Recall@3")
    for rows in (range(start, min(start + 64, 540)) for start in range(0, 540, 64)):
        meter.update(Outputs(vectors[list(rows)], None), labels[list(rows)])
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    precisions, recalls = [], Counter[int]()
    for query in range(540):
        order = (unit @ unit[query]).argsort(descending=True).tolist()
        order.remove(query)
        relevant = {each for each in order if labels[each] == labels[query]}
        if not relevant:
            continue
        precisions.append(average_precision(relevant, order))
        for depth in (1, 3, 5):
            recalls[depth] += bool(relevant.intersection(order[:depth]))
    assert len(precisions) == 539
    expected = {f"Recall@{depth}": recalls[depth] / 539 for depth in (1, 3, 5)}
    expected["MeanAveragePrecision"] = sum(precisions) / 539
    assert meter.figures() == pytest.approx(expected, abs=1e-4)
    assert meter.value() == meter.figures()["Recall@3"]


def test_images_that_all_differ_judge_no_vector() -> None:
    meter = Retrieval("Recall@1")
    meter.update(Outputs(torch.eye(3), None), torch.arange(3))
    with pytest.raises(CannotTrain) as caught:
        meter.figures()
    assert str(caught.value) == "No two of the images to evaluate by are of one class"


def test_a_batch_has_pairs_and_an_epoch_every_image() -> None:
    labels = [0] * 11 + [1] * 6 + [2] * 7
    samples = Samples.of(list(enumerate(labels)))
    prepared = Prepared(samples, transform=torch.tensor, seed=1)
    batches = ClassBatches(prepared, batch_size=8, per_class=4, seed=1)
    first = list(batches)
    assert first == list(batches)
    assert len(first) == len(batches) == 3
    for batch in first:
        counts = Counter(labels[index] for index in batch)
        assert all(count % 4 == 0 for count in counts.values())
    # 28 places for 24 images: one group of four found no batch.
    assert len({index for batch in first for index in batch}) >= 20
    prepared.epoch = 1
    assert list(batches) != first


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["SupConLoss", "TripletMarginLoss"])
def test_what_is_alike_lies_nearer_after_training(
    loss: str, configure: Configure
) -> None:
    config = configure(
        loss=loss,
        metric="MeanAveragePrecision",
        batch_size=16,
        epoch_num=8,
        load_best_model_at_end=True,
    )
    operator, judged = Small(dropout=0.0), points(90, seed=1)
    before = _precision(operator, judged)
    run, _ = Training(operator, config, points(180), judged).fit()
    assert run.best is not None
    assert _precision(operator, judged) == pytest.approx(run.best.value)
    assert run.best.value > before + 0.1
    assert operator.classes == ()
    assert {"eval_Recall@1", "eval_Recall@5"} < run.latest.keys()
    assert "train_epoch_metric" not in run.latest


def _precision(operator: Small, samples: Samples) -> float:
    meter = Retrieval("MeanAveragePrecision")
    images, labels = zip(*samples, strict=True)
    with torch.no_grad():
        vectors = operator.network(torch.tensor(images))
    meter.update(Outputs(vectors, None), torch.tensor(labels))
    return meter.value()


def test_a_classifier_may_be_judged_by_its_vectors(configure: Configure) -> None:
    config = configure(metric="Recall@2", load_best_model_at_end=True)
    operator = Small(dropout=0.0)
    run: Run
    run, _ = Training(operator, config, points(24), points(30, seed=1)).fit()
    assert run.best is not None
    assert run.best.value == max(row["eval_Recall@2"] for row in run.history)


def test_a_loss_of_vectors_says_what_does_not_fit(configure: Configure) -> None:
    config = configure(loss="SupConLoss", images_per_class=3, label_smoothing=0.1)
    with pytest.raises(InvalidTrainingConfig) as caught:
        Training(Small(), config, points(24)).fit()
    assert caught.value.problems == (
        (
            "metric: `SupConLoss` trains no head to judge by Accuracy: set Recall@1, "
            "another Recall@k, or MeanAveragePrecision"
        ),
        "images_per_class: 3 do not divide a batch of 4",
        "label_smoothing: only `CrossEntropyLoss` smooths labels",
    )


@pytest.mark.slow
def test_options_that_a_loss_has_not_are_refused(configure: Configure) -> None:
    config = configure(
        loss="SupConLoss", loss_options={"heat": 1}, metric="Recall@1", batch_size=8
    )
    with pytest.raises(InvalidTrainingConfig) as caught:
        Training(Small(), config, points(24)).fit()
    (problem,) = caught.value.problems
    assert problem.startswith("loss_options: `SupConLoss` refuses them: ")
    assert "heat" in problem


@pytest.mark.slow
def test_a_head_alone_needs_a_loss_that_has_one(configure: Configure) -> None:
    config = configure(
        trained_part="head", loss="SupConLoss", metric="Recall@1", images_per_class=2
    )
    with pytest.raises(CannotTrain) as caught:
        Training(Small(), config, points(24)).fit()
    assert str(caught.value) == (
        "`SupConLoss` trains no head, and nothing else is to be"
    )
