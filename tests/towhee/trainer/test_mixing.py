"""Rates by layer, an average of weights, and blended images do what they say."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from trainees import Small, points

from towhee.trainer.callbacks import Callback
from towhee.trainer.errors import CannotTrain, InvalidTrainingConfig
from towhee.trainer.optimizing import parameter_groups
from towhee.trainer.training import Training

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from towhee.trainer.run import Run
    from towhee.trainer.training_config import TrainingConfig

    Configure = Callable[..., TrainingConfig]


@pytest.mark.slow
def test_each_layer_has_a_part_of_the_next_ones_rate(configure: Configure) -> None:
    import timm  # noqa: PLC0415  (seconds)

    model: Any = timm.create_model("test_vit", num_classes=0)
    module = nn.ModuleDict({"network": model, "head": nn.Linear(64, 3)})
    config = configure(lr=1.0, layer_decay=0.5, weight_decay=0.1)
    groups = parameter_groups(module, config)
    rate = {id(each): group["lr"] for group in groups[2:] for each in group["params"]}
    assert len(groups[0]["params"]) == len(groups[1]["params"]) == 1
    assert "lr" not in groups[0], "a head learns at the whole rate"
    blocks = [rate[id(block.attn.qkv.weight)] for block in model.blocks]
    assert [one / other for one, other in itertools.pairwise(blocks)] == (
        [0.5] * (len(blocks) - 1)
    )
    count = sum(len(group["params"]) for group in groups)
    assert count == len(list(module.parameters()))
    assert {group["weight_decay"] for group in groups} == {0.0, 0.1}


def test_a_model_without_layers_has_no_rate_for_each(configure: Configure) -> None:
    with pytest.raises(CannotTrain) as caught:
        Training(Small(), configure(layer_decay=0.5), points(24)).fit()
    assert str(caught.value) == (
        "This model does not tell its layers apart, as timm's do"
    )


class Weights(Callback):
    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []

    def on_step_end(self, run: Run) -> None:
        self.seen.append(run.trainee.network.state_dict()["0.weight"].clone())


@pytest.mark.slow
def test_an_average_is_judged_and_kept_in_place_of_the_weights(
    configure: Configure,
) -> None:
    operator, weights = Small(), Weights()
    config = configure(ema=0.9, load_best_model_at_end=False)
    run, _ = Training(operator, config, points(24), points(30, seed=1), [weights]).fit()
    average = weights.seen[0]
    for step, seen in enumerate(weights.seen, 1):
        keep = min(0.9, 1 - step ** (-2 / 3)) if step > 1 else 0.0
        average = keep * average + (1 - keep) * seen
    assert torch.allclose(operator.network.state_dict()["0.weight"], average, atol=1e-4)
    assert not torch.allclose(average, weights.seen[-1], atol=1e-3)
    images, labels = zip(*points(30, seed=1), strict=True)
    with torch.no_grad():
        logits = run.trainee.head(operator.network(torch.tensor(images)))  # type: ignore[misc]
    right = (logits.argmax(1) == torch.tensor(labels)).float().mean()
    assert run.latest["eval_epoch_metric"] == pytest.approx(float(right))


class Images(Callback):
    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []

    def on_train_begin(self, run: Run) -> None:
        run.trainee.network.register_forward_pre_hook(self._see)

    def _see(self, _: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self.seen.append(inputs[0].clone())


@pytest.mark.slow
def test_blended_images_are_between_those_of_their_batch(configure: Configure) -> None:
    samples, images = points(24), Images()
    own = torch.tensor([image for image, _ in samples])
    config = configure(mixup={"mixup_alpha": 1.0}, epoch_num=1)
    Training(Small(), config, samples, callbacks=[images]).fit()
    seen = torch.cat(images.seen)
    assert len(seen) == 24
    assert torch.cdist(seen, own).min(dim=1).values.max() > 0.1
    # Each image is blended with another, so that their sum stays.
    assert torch.allclose(seen.sum(dim=0), own.sum(dim=0), atol=1e-4)


def test_what_cannot_be_blended_is_refused(configure: Configure) -> None:
    config = configure(mixup={}, loss="NLLLoss", batch_size=3)
    with pytest.raises(InvalidTrainingConfig) as caught:
        Training(Small(), config, points(24)).fit()
    assert len(caught.value.problems) == 2


class Killed(Exception):
    """Stands for kill -9."""


class KillAt(Callback):
    def on_step_end(self, run: Run) -> None:
        if run.step == 8:
            raise Killed


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [
        {"ema": 0.9, "mixup": {}},
        {"lora": {"rank": 2}},
        {"loss": "SupConLoss", "metric": "Recall@1", "images_per_class": 2},
    ],
)
def test_each_of_them_resumed_ends_as_an_undisturbed_one(
    fields: dict[str, Any], configure: Configure, tmp_path: Path
) -> None:
    config = configure(**fields, model_checkpoint={"every_n_step": 3})
    expected, again = Small(), Small()
    Training(expected, config, points(24), points(30, seed=1)).fit()
    config.output_dir = str(tmp_path / "killed")
    with pytest.raises(Killed):
        Training(Small(), config, points(24), points(30, seed=1), [KillAt()]).fit()
    Training(again, config, points(24), points(30, seed=1)).fit(resume=True)
    assert torch.equal(again.weights, expected.weights)
