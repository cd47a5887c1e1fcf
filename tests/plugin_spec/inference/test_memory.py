from __future__ import annotations

import gc
import weakref

import pytest
import torch

from plugin_spec import OutOfMemory
from plugin_spec.inference.memory import memory_errors


def test_torchs_full_memory_is_told_in_the_contracts_words() -> None:
    with pytest.raises(OutOfMemory) as caught, memory_errors(32, "cpu"):
        torch.empty(1 << 50)
    assert str(caught.value) == "A batch of 32 does not fit in the memory of `cpu`"
    assert caught.value.hint == "Give a smaller `batch_size`"


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError()]
)
def test_every_way_to_run_out_of_memory_is_known(error: Exception) -> None:
    with pytest.raises(OutOfMemory), memory_errors(1, "cuda:0"):
        raise error


def test_another_error_stays_what_it_is() -> None:
    wrong = pytest.raises(RuntimeError, match="shapes cannot be multiplied")
    with wrong, memory_errors(1, "cpu"):
        torch.zeros(2, 3) @ torch.zeros(2, 3)


def test_what_the_failed_batch_held_is_free_when_it_is_tried_again() -> None:
    def predict() -> None:
        images = torch.zeros(10)
        held.append(weakref.ref(images))
        torch.empty(1 << 50)

    held: list[weakref.ref[torch.Tensor]] = []
    try:
        with memory_errors(1, "cpu"):
            predict()
    except OutOfMemory:
        gc.collect()
        assert held[0]() is None
