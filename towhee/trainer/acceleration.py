"""accelerate, set up for one training and gone after it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from towhee.extras import needed_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accelerate import Accelerator

    from towhee.trainer.training_config import TrainingConfig


@contextmanager
def accelerating(config: TrainingConfig) -> Iterator[Accelerator]:
    """An accelerator of this training's own.

    accelerate keeps one state a process, and refuses a second with other settings.
    The state is set aside and put back: other trainings of the user's go on.

    :raises MissingExtra: if accelerate is not installed.
    """
    with needed_for("Training", extra="train"):
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState, GradientState, PartialState
        from accelerate.utils import DataLoaderConfiguration, patch_environment

    states: list[Any] = [PartialState, AcceleratorState, GradientState]
    kept = [dict(each._shared_state) for each in states]  # noqa: SLF001
    for each in states:
        each._shared_state.clear()  # noqa: SLF001
    device = config.device_str
    named = {} if device in {None, "cpu"} else {"ACCELERATE_TORCH_DEVICE": device}
    try:
        with patch_environment(**named):
            yield Accelerator(
                cpu=device == "cpu",
                mixed_precision=config.mixed_precision,
                gradient_accumulation_steps=config.gradient_accumulation_steps,
                dynamo_backend="inductor" if config.compile else None,
                dataloader_config=DataLoaderConfiguration(
                    use_seedable_sampler=True, data_seed=config.seed
                ),
            )
    finally:
        for each, state in zip(states, kept, strict=True):
            each._shared_state.clear()  # noqa: SLF001
            each._shared_state.update(state)  # noqa: SLF001
