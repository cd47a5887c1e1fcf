"""accelerate, set up for one training and gone after it."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from towhee.extras import needed_for
from towhee.trainer.errors import CannotTrain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accelerate import Accelerator

    from towhee.trainer.training_config import TrainingConfig


@contextmanager
def accelerating(config: TrainingConfig) -> Iterator[Accelerator]:
    """An accelerator of this training's own.

    accelerate keeps one state a process, and refuses a second with other settings.
    The state is set aside and put back: other trainings of the user's go on. Processes
    that were joined for this training part together at its end: one that went first
    would break what the others still send it.

    :raises MissingExtra: if accelerate is not installed.
    :raises CannotTrain: if the device cannot do what the configuration asks for.
    """
    with needed_for("Training", extra="train"):
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState, GradientState, PartialState
        from accelerate.utils import DataLoaderConfiguration, patch_environment
    from torch import distributed

    if distributed.is_available():
        # What is imported once processes are joined has them as defaults of its
        # functions, and torch's threads that speak to the others never end.
        import_module("torch.distributed.nn")

    states: list[Any] = [PartialState, AcceleratorState, GradientState]
    kept = [dict(each._shared_state) for each in states]  # noqa: SLF001
    for each in states:
        each._shared_state.clear()  # noqa: SLF001
    is_joined = distributed.is_available() and distributed.is_initialized()
    device = config.device_str
    named = {} if device in {None, "cpu"} else {"ACCELERATE_TORCH_DEVICE": device}
    try:
        with patch_environment(**named):
            accelerator = Accelerator(
                cpu=device == "cpu",
                mixed_precision=config.mixed_precision,
                gradient_accumulation_steps=config.gradient_accumulation_steps,
                dynamo_backend="inductor" if config.compile else None,
                dataloader_config=DataLoaderConfiguration(
                    use_seedable_sampler=True, data_seed=config.seed
                ),
            )
            _check_device(accelerator, config)
            yield accelerator
            if accelerator.num_processes > 1 and not is_joined:
                accelerator.wait_for_everyone()
                # Whatever still holds the group would keep its threads beyond this.
                accelerator.free_memory()
                distributed.destroy_process_group()
    finally:
        for each, state in zip(states, kept, strict=True):
            each._shared_state.clear()  # noqa: SLF001
            each._shared_state.update(state)  # noqa: SLF001


def _check_device(accelerator: Accelerator, config: TrainingConfig) -> None:
    """Refuse what accelerate would leave out, and torch fail at in the first step."""
    if accelerator.device.type != "cpu":
        return
    if config.mixed_precision == "fp16":
        raise CannotTrain(
            "`mixed_precision` is fp16, which accelerate trains in on no CPU",
            hint="Set `mixed_precision` to bf16 or no",
        )
    if config.sync_bn and accelerator.num_processes > 1:
        raise CannotTrain(
            "`sync_bn` is set, and torch shares statistics of batches on no CPU",
            hint="Set `sync_bn` to false, or `freeze_bn` to true in its place",
        )
