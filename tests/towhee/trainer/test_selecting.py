"""What is to stay stays, and adapters leave an operator as it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from trainees import Small, points

from towhee.trainer.errors import InvalidTrainingConfig
from towhee.trainer.training import Training

if TYPE_CHECKING:
    from collections.abc import Callable

    from towhee.trainer.training_config import TrainingConfig

    Configure = Callable[..., TrainingConfig]


def trained(config: TrainingConfig) -> Small:
    operator = Small()
    Training(operator, config, points(24), points(8, seed=1)).fit()
    return operator


def state(operator: Small) -> dict[str, torch.Tensor]:
    return operator.network.state_dict()


def test_of_the_head_alone_vectors_stay_to_the_bit(configure: Configure) -> None:
    before, after = Small(), trained(configure(trained_part="head"))
    for name, value in state(before).items():
        assert torch.equal(value, state(after)[name]), name
    assert after.classes == ("left", "right", "middle")


def test_layers_up_to_one_stay_with_their_statistics(configure: Configure) -> None:
    before, after = Small(), trained(configure(freeze_up_to="1"))
    for name, value in state(before).items():
        assert torch.equal(value, state(after)[name]), name
    before, after = Small(), trained(configure(freeze_up_to="0"))
    assert torch.equal(state(before)["0.weight"], state(after)["0.weight"])
    assert not torch.equal(state(before)["1.weight"], state(after)["1.weight"])
    assert not torch.equal(
        state(before)["1.running_mean"], state(after)["1.running_mean"]
    )


@pytest.mark.slow
def test_adapters_are_merged_into_an_operator_of_the_same_form(
    configure: Configure,
) -> None:
    lora = {"rank": 2, "alpha": 8}
    config = configure(lora=lora, load_best_model_at_end=True)
    before, after = Small(), trained(config)
    assert str(after.network) == str(before.network)
    changed = state(after)["0.weight"] - state(before)["0.weight"]
    assert torch.linalg.matrix_rank(changed, atol=1e-5) == 2
    others = [name for name in state(before) if name != "0.weight"]
    assert all(torch.equal(state(before)[key], state(after)[key]) for key in others)


@pytest.mark.slow
def test_what_was_merged_gives_the_vectors_that_were_judged(
    configure: Configure,
) -> None:
    operator = Small(dropout=0.0)
    config = configure(lora={"targets": ["0"]})
    run, _ = Training(operator, config, points(24), points(40, seed=1)).fit()
    head = run.trainee.head
    assert head is not None
    images, labels = zip(*points(40, seed=1), strict=True)
    vectors = torch.stack(
        [
            torch.tensor(each)
            for each in operator.predict([*map(operator.prepare, images)])
        ]
    )
    right = (head(vectors).argmax(dim=1) == torch.tensor(labels)).float().mean()
    assert run.latest["eval_epoch_metric"] == pytest.approx(float(right))


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            {"freeze_up_to": "layer1"},
            "freeze_up_to: the network has no layer `layer1`",
        ),
        pytest.param(
            {"lora": {"targets": ["7"]}},
            "lora.targets: no layer is named `7`",
            marks=pytest.mark.slow,
        ),
        (
            {"lora": {}, "freeze_up_to": "0"},
            "lora: adapters freeze all else: leave `trained_part`, `freeze_up_to` out",
        ),
    ],
)
def test_what_cannot_be_chosen_is_refused(
    fields: dict[str, object], problem: str, configure: Configure
) -> None:
    with pytest.raises(InvalidTrainingConfig) as caught:
        trained(configure(**fields))
    assert caught.value.problems == (problem,)
