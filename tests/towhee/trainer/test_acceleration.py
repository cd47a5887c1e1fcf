"""What makes steps faster or several devices agree, and where it cannot be had."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest
import torch
from torch import nn
from trainees import Small, points

from towhee.trainer import acceleration, training
from towhee.trainer.callbacks import Callback
from towhee.trainer.errors import CannotTrain
from towhee.trainer.training import Training

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from accelerate import Accelerator

    from towhee.trainer.run import Run
    from towhee.trainer.training_config import TrainingConfig

    Configure = Callable[..., TrainingConfig]

GREAT: Final = 2.0**40
"""A scale at which gradients of half precision overflow."""


class Noting(Callback):
    """Notes in what precision the first layer computed."""

    def __init__(self) -> None:
        self.precisions: set[torch.dtype] = set()

    def on_train_begin(self, run: Run) -> None:
        next(run.trainee.network.children()).register_forward_hook(self._note)

    def _note(self, _module: nn.Module, _inputs: object, made: torch.Tensor) -> None:
        self.precisions.add(made.dtype)


def trained(config: TrainingConfig, *callbacks: Callback) -> tuple[torch.Tensor, Run]:
    operator = Small(dropout=0.0)
    run, _ = Training(operator, config, points(24), points(8, 1), callbacks).fit()
    return operator.weights, run


def test_bf16_computes_in_it_and_keeps_float32_weights(configure: Configure) -> None:
    noting = Noting()
    config = configure(epoch_num=1, mixed_precision="bf16", optimizer="SGD")
    weights, _ = trained(config, noting)
    assert noting.precisions == {torch.bfloat16}
    plain, _ = trained(configure(epoch_num=1, optimizer="SGD"))
    torch.testing.assert_close(weights, plain, atol=1e-2, rtol=0)
    # Whatever is bfloat16 survives a round trip to it.
    assert not torch.equal(weights, weights.bfloat16().double())


@contextmanager
def half_on_the_cpu(config: TrainingConfig) -> Iterator[Accelerator]:
    """As accelerate sets a GPU up for fp16: torch's own scaler and casts, on the CPU."""
    config.mixed_precision = "no"
    with acceleration.accelerating(config) as accelerator:
        accelerator.state._mixed_precision = "fp16"
        accelerator.native_amp = True
        accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=GREAT)
        yield accelerator


def test_fp16_leaves_out_steps_that_overflow_and_no_rate_for_them(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "accelerating", half_on_the_cpu)
    noting, fields = Noting(), {"optimizer": "SGD", "lr": 0.3, "epoch_num": 6}
    # Clipped, what is scaled has to be brought back to its own size first.
    config = configure(mixed_precision="fp16", max_grad_norm=100.0, **fields)
    weights, run = trained(config, noting)
    assert noting.precisions == {torch.float16}
    assert weights.isfinite().all()
    # The first steps overflow, until the scale is small enough.
    taken = round((1 - run.latest["lr"] / 0.3) * run.steps)
    assert 0 < taken < run.step == run.steps == 36
    few = configure(**{**fields, "epoch_num": 2})
    monkeypatch.setattr(training, "accelerating", acceleration.accelerating)
    _, plain = trained(few)
    assert run.latest["train_epoch_loss"] < plain.history[0]["train_epoch_loss"]


def test_fp16_is_refused_where_accelerate_leaves_it_out(configure: Configure) -> None:
    with pytest.raises(CannotTrain) as caught:
        trained(configure(mixed_precision="fp16"))
    assert str(caught.value) == (
        "`mixed_precision` is fp16, which accelerate trains in on no CPU"
    )
    assert caught.value.hint == "Set `mixed_precision` to bf16 or no"


def _shared(config: TrainingConfig, *, processes: int) -> list[type[nn.Module]]:
    """What the normalisation of a module on so many GPUs becomes."""
    accelerator: Any = SimpleNamespace(num_processes=processes)
    found = training._as_configured(Small().network, accelerator, config)
    return [type(each) for each in found.modules() if "Norm" in type(each).__name__]


def test_normalisations_see_all_devices_where_there_are_several(
    configure: Configure,
) -> None:
    config = configure(sync_bn=True)
    assert _shared(config, processes=2) == [nn.SyncBatchNorm]
    assert _shared(config, processes=1) == [nn.BatchNorm1d]
    assert _shared(configure(), processes=2) == [nn.BatchNorm1d]


def test_shared_statistics_on_several_cpus_are_refused(configure: Configure) -> None:
    accelerator: Any = SimpleNamespace(num_processes=2, device=torch.device("cpu"))
    with pytest.raises(CannotTrain, match="statistics of batches on no CPU") as caught:
        acceleration._check_device(accelerator, configure(sync_bn=True))
    assert caught.value.hint == (
        "Set `sync_bn` to false, or `freeze_bn` to true in its place"
    )


@pytest.mark.slow
def test_compiled_steps_end_with_the_same_weights(configure: Configure) -> None:
    from torch._dynamo.utils import counters  # noqa: PLC0415  (it takes seconds)

    fields = {"optimizer": "SGD", "epoch_num": 2}
    plain, expected = trained(configure(**fields))
    before = counters["stats"]["unique_graphs"]
    weights, run = trained(configure(**fields, compile=True))
    # One to learn and one to judge by.
    assert counters["stats"]["unique_graphs"] == before + 2
    torch.testing.assert_close(weights, plain, atol=1e-5, rtol=0)
    figures = run.latest["eval_epoch_loss"]
    assert figures == pytest.approx(expected.latest["eval_epoch_loss"], abs=1e-5)


def test_a_line_is_printed_after_so_many_steps_and_each_epoch(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    _, run = trained(configure(print_steps=4, epoch_num=2))
    *lines, last = capsys.readouterr().err.splitlines()
    figures = run.history[0]
    first = (
        f"loss {figures['train_epoch_loss']:.3f}, "
        f"accuracy {figures['train_epoch_metric']:.3f}, "
        f"evaluation loss {figures['eval_epoch_loss']:.3f}, "
        f"evaluation accuracy {figures['eval_epoch_metric']:.3f}"
    )
    assert lines == [
        "step 4 of 12",
        f"epoch 1 of 2: {first}",
        "step 8 of 12",
        "step 12 of 12",
    ]
    assert last.startswith("epoch 2 of 2: loss ")


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_smoothed_labels_share_out_a_part_among_the_classes(
    smoothing: float, configure: Configure
) -> None:
    # Weights that stay let the loss be computed again, beside the trainer.
    config = configure(
        label_smoothing=smoothing, lr=0.0, freeze_bn=True, epoch_num=1, batch_size=24
    )
    operator, samples = Small(dropout=0.0), points(24)
    run, _ = Training(operator, config, samples, samples).fit()
    assert operator._head is not None
    with torch.no_grad():
        images = torch.tensor([image for image, _ in samples])
        shares = operator._head(operator.network(images)).log_softmax(dim=1)
    right = shares[torch.arange(24), torch.tensor(samples.labels)]
    loss = -((1 - smoothing) * right + smoothing * shares.mean(dim=1)).mean()
    assert run.latest["train_epoch_loss"] == pytest.approx(loss.item())
    assert run.latest["eval_epoch_loss"] == pytest.approx(loss.item())
