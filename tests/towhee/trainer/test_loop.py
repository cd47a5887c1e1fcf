"""What a training promises, and what Towhee's got wrong."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from trainees import CLASSES, Small, points

from towhee.trainer.callbacks import Callback, EarlyStopping
from towhee.trainer.errors import CannotTrain, InvalidTrainingConfig
from towhee.trainer.training import Training
from towhee.trainer.training_result import TrainingResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from towhee.data import Samples
    from towhee.trainer.run import Run
    from towhee.trainer.training_config import TrainingConfig

    Configure = Callable[..., TrainingConfig]


class Watch(Callback):
    """Notes every moment, the rate at every step, and forward passes."""

    def __init__(self) -> None:
        self.moments: list[str] = []
        self.forwards: list[int] = []
        self._passes = 0

    def on_train_begin(self, run: Run) -> None:
        self.moments.append("train begin")
        run.trainee.network.register_forward_hook(self._count)

    def _count(self, *_: object) -> None:
        self._passes += 1

    def on_epoch_begin(self, run: Run) -> None:
        self.moments.append("epoch begin")

    def on_step_end(self, run: Run) -> None:
        self.moments.append("step")
        self.forwards.append(self._passes)

    def on_evaluation_end(self, run: Run) -> None:
        self.moments.append("evaluation")

    def on_epoch_end(self, run: Run) -> None:
        self.moments.append("epoch end")

    def on_train_end(self, run: Run) -> None:
        self.moments.append("train end")


def trained(
    config: TrainingConfig,
    *callbacks: Callback,
    count: int = 24,
    evaluation: Samples | None = None,
    operator: Small | None = None,
) -> tuple[Small, Run]:
    operator = operator or Small()
    training = Training(operator, config, points(count), evaluation, callbacks)
    run, _ = training.fit()
    return operator, run


def test_a_step_makes_one_forward_pass(configure: Configure) -> None:
    watch = Watch()
    trained(configure(epoch_num=1), watch)
    assert watch.forwards == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("accumulation", [1, 2, 4])
def test_the_schedule_ends_with_the_last_step(
    accumulation: int, configure: Configure
) -> None:
    rates: list[float] = []

    class Rates(Callback):
        def on_epoch_end(self, run: Run) -> None:
            rates.append(run.latest["lr"])

    config = configure(lr=0.3, gradient_accumulation_steps=accumulation)
    _, run = trained(config, Rates(), count=25)
    assert run.step == run.steps == 3 * -(-6 // accumulation)
    assert rates == pytest.approx([0.2, 0.1, 0.0])


class Diverging(Callback):
    """Gives the epochs these losses in place of their own."""

    def __init__(self, *losses: float) -> None:
        self._losses = iter(losses)

    def on_epoch_end(self, run: Run) -> None:
        run.latest["train_epoch_loss"] = next(self._losses)


def test_a_figure_that_is_no_number_is_never_the_best(configure: Configure) -> None:
    stopping = {"monitor": "train_epoch_loss", "patience": 9, "mode": "min"}
    config = configure(early_stopping=stopping, epoch_num=5)
    nan = float("nan")
    figures = Diverging(nan, 0.5, nan, nan, nan)
    _, run = trained(config, figures, EarlyStopping("train_epoch_loss", 2, "min"))
    assert run.best is not None
    assert (run.best.value, run.best.epoch) == (0.5, 2)
    assert run.stop_reason == (
        "train_epoch_loss was not better than 0.5 for 2 evaluations"
    )


def test_a_training_that_diverges_at_once_is_stopped(configure: Configure) -> None:
    stopping = {"monitor": "train_epoch_loss", "patience": 2, "mode": "min"}
    config = configure(early_stopping=stopping, optimizer="SGD", lr=1e30, epoch_num=9)
    _, run = trained(config)
    assert run.stop_reason == (
        "train_epoch_loss was not better than nan for 2 evaluations"
    )
    assert run.best is None


def test_what_began_is_ended_though_another_callback_could_not_begin(
    configure: Configure,
) -> None:
    class Fails(Callback):
        def on_train_begin(self, run: Run) -> None:
            raise RuntimeError("no")

    watch = Watch()
    with pytest.raises(RuntimeError, match="no"):
        trained(configure(), watch, Fails())
    assert watch.moments == ["train begin", "train end"]


class Worse(Callback):
    """Spoils the weights after the first evaluation."""

    def __init__(self) -> None:
        self.best: torch.Tensor | None = None

    def on_evaluation_end(self, run: Run) -> None:
        weight = next(run.trainee.network.parameters())
        if self.best is None:
            self.best = weight.detach().clone()
            run.latest["eval_epoch_metric"] = 1.0
        with torch.no_grad():
            weight.fill_(0.0)


@pytest.mark.parametrize("wanted", [True, False])
def test_the_best_model_is_loaded_when_it_is_asked_for(
    wanted: bool, configure: Configure
) -> None:
    worse = Worse()
    config = configure(load_best_model_at_end=wanted, lr=1e-9)
    operator, run = trained(config, worse, evaluation=points(20, seed=1))
    assert worse.best is not None
    assert run.best is not None
    found = next(operator.network.parameters())
    assert torch.equal(found, worse.best) is wanted


def test_the_best_of_nothing_is_refused(configure: Configure) -> None:
    config = configure(load_best_model_at_end=True)
    with pytest.raises(CannotTrain) as caught:
        Training(Small(), config, points(8))
    assert str(caught.value) == "There is nothing to choose the best model by"
    assert caught.value.hint == (
        "Give `eval_dataset`, and an `eval_strategy` other than no; or set "
        "`load_best_model_at_end` to false"
    )


def test_the_same_seed_gives_the_same_weights(configure: Configure) -> None:
    config = configure(augmentation={"noise": 0.1})
    one, _ = trained(config)
    # What the user draws in between is no business of a training's.
    torch.rand(3)
    random.random()  # noqa: S311
    again, _ = trained(config)
    other, _ = trained(configure(augmentation={"noise": 0.1}, seed=43))
    assert torch.equal(one.weights, again.weights)
    assert not torch.equal(one.weights, other.weights)


def test_workers_change_no_weight(configure: Configure) -> None:
    config = configure(augmentation={"noise": 0.1}, epoch_num=1)
    one, _ = trained(config)
    config.dataloader_num_workers = 1
    other, _ = trained(config)
    assert torch.equal(one.weights, other.weights)


def test_the_users_random_numbers_go_on_untouched(configure: Configure) -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(1))  # noqa: S311, NPY002

    def seed() -> None:
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        torch.manual_seed(1)

    seed()
    expected = draw()
    seed()
    trained(configure(epoch_num=1))
    assert draw() == expected


def test_every_moment_comes_in_its_order(configure: Configure) -> None:
    watch = Watch()
    trained(configure(epoch_num=1, batch_size=12), watch, evaluation=points(4))
    assert watch.moments == [
        "train begin",
        "epoch begin",
        "step",
        "step",
        "evaluation",
        "epoch end",
        "train end",
    ]


def test_accumulated_gradients_are_those_of_a_greater_batch(
    configure: Configure,
) -> None:
    def plain(**fields: object) -> torch.Tensor:
        config = configure(optimizer="SGD", freeze_bn=True, epoch_num=1, **fields)
        return trained(config, operator=Small(dropout=0.0))[0].weights

    torch.testing.assert_close(
        plain(batch_size=24), plain(batch_size=6, gradient_accumulation_steps=4)
    )


def test_frozen_normalisations_stay_as_they_are(configure: Configure) -> None:
    before = Small().network[1].state_dict()
    after = trained(configure(freeze_bn=True))[0].network[1].state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    moved = trained(configure())[0].network[1].state_dict()
    assert not torch.equal(before["running_mean"], moved["running_mean"])


def test_a_short_gradient_moves_weights_little(configure: Configure) -> None:
    def moved(limit: float | None) -> float:
        config = configure(optimizer="SGD", max_grad_norm=limit, epoch_num=1)
        weight = next(trained(config)[0].network.parameters()).detach()
        return float((weight - next(Small().network.parameters()).detach()).norm())

    assert 0 < moved(1e-3) < moved(None) / 10


def test_matrices_decay_and_biases_do_not(configure: Configure) -> None:
    config = configure(optimizer="SGD", weight_decay=0.5, lr=0.1, epoch_num=1)
    operator = Small()
    training = Training(operator, config, points(24))
    before = operator.network[1].weight.clone()
    training.fit()
    plain, _ = trained(configure(optimizer="SGD", lr=0.1, epoch_num=1))
    assert operator.network[0].weight.norm() < plain.network[0].weight.norm()
    torch.testing.assert_close(operator.network[1].weight, before, atol=0.1, rtol=0)


def test_it_stops_when_it_gets_no_better(configure: Configure) -> None:
    stopping = {"monitor": "eval_epoch_metric", "patience": 2, "mode": "max"}
    config = configure(early_stopping=stopping, lr=0.0, freeze_bn=True, epoch_num=9)
    _, run = trained(config, evaluation=points(12, seed=1))
    assert run.epoch == 3
    accuracy = run.latest["eval_epoch_metric"]
    assert run.stop_reason == (
        f"eval_epoch_metric was not better than {accuracy:.4g} for 2 evaluations"
    )


def test_evaluations_between_epochs_have_rows_of_their_own(
    configure: Configure,
) -> None:
    config = configure(eval_strategy="steps", eval_steps=4, epoch_num=2)
    _, run = trained(config, evaluation=points(6, seed=1))
    rows = [(row["step"], "eval_epoch_metric" in row) for row in run.history]
    assert rows == [(4, True), (6, False), (8, True), (12, True), (12, False)]


def test_the_weights_that_are_kept_are_judged_wherever_the_last_step_falls(
    configure: Configure,
) -> None:
    config = configure(eval_strategy="steps", eval_steps=5, epoch_num=2)
    evaluation = points(6, seed=1)
    _, run = trained(config, evaluation=evaluation)
    rows = [(row["step"], "eval_epoch_metric" in row) for row in run.history]
    assert rows == [(5, True), (6, False), (10, True), (12, True)]
    result = TrainingResult.of(run, evaluation, evaluation, 0.0)
    assert result.figures == run.latest


def test_figures_are_of_the_best_epoch_by_whatever_it_is_the_best(
    configure: Configure,
) -> None:
    config = configure(
        eval_strategy="steps",
        eval_steps=5,
        load_best_model_at_end=True,
        early_stopping={"monitor": "train_epoch_loss", "mode": "min"},
    )
    evaluation = points(6, seed=1)
    _, run = trained(config, Diverging(0.5, 0.2, 0.9), evaluation=evaluation)
    figures = TrainingResult.of(run, evaluation, evaluation, 0.0).figures
    assert (figures["step"], figures["train_epoch_loss"]) == (12, 0.2)


def test_an_evaluation_is_over_every_image(configure: Configure) -> None:
    evaluation = points(7, seed=1)
    operator, run = trained(configure(), evaluation=evaluation)
    with torch.inference_mode():
        images = torch.tensor([image for image, _ in evaluation])
        logits = operator._head(operator.network(images))
    right = logits.argmax(dim=1) == torch.tensor(evaluation.labels)
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(evaluation.labels))
    assert run.latest["eval_epoch_metric"] == pytest.approx(right.float().mean().item())
    assert run.latest["eval_epoch_loss"] == pytest.approx(loss.item())
    assert operator.classes == CLASSES


def test_another_precision_may_follow(configure: Configure) -> None:
    one, _ = trained(configure(epoch_num=1))
    other, _ = trained(configure(epoch_num=1, mixed_precision="bf16"))
    assert one.weights.dtype == other.weights.dtype
    assert 0 < (one.weights - other.weights).abs().max() < 0.1


def test_an_accelerator_of_the_users_goes_on(configure: Configure) -> None:
    from accelerate import Accelerator  # noqa: PLC0415
    from accelerate.state import AcceleratorState  # noqa: PLC0415

    AcceleratorState._reset_state(reset_partial_state=True)
    theirs = Accelerator(cpu=True)
    trained(configure(epoch_num=1, mixed_precision="bf16"))
    assert theirs.mixed_precision == "no"
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"optimizer": "Adm"}, "`torch.optim` has no `Adm`: did you mean `Adam`?"),
        ({"loss": "CrosEntropyLoss"}, "did you mean `CrossEntropyLoss`?"),
        ({"loss": "NLLLoss", "label_smoothing": 0.1}, "only `CrossEntropyLoss`"),
    ],
)
def test_unknown_names_of_torchs_are_told(
    fields: dict[str, Any], message: str, configure: Configure
) -> None:
    with pytest.raises(InvalidTrainingConfig, match=message.replace("?", r"\?")):
        trained(configure(**fields))


def test_too_few_images_are_told(configure: Configure) -> None:
    with pytest.raises(CannotTrain, match="3 images fill no batch of 4"):
        trained(configure(), count=3)
    _, run = trained(configure(dataloader_drop_last=False, epoch_num=1), count=3)
    assert run.step == 1
