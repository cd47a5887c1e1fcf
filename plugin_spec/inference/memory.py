"""A device that is full, in the contract's words."""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from plugin_spec.errors import OutOfMemory

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORDS: Final = (
    "can't allocate memory",  # torch's allocator on a CPU
    "not enough memory",  # the same on Windows
    "out of memory",  # CUDA, and libraries that compute on it
    "Failed to allocate memory",  # onnxruntime
    "bad_alloc",  # OpenVINO
)


@contextmanager
def memory_errors(batch: int, device: object) -> Iterator[None]:
    """Give what is raised in the block as ``OutOfMemory``, if it says that.

    :param batch: how many rows were computed at once.
    :raises OutOfMemory: with nothing of the failed batch kept alive.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, OutOfMemory) or not is_out_of_memory(error):
            raise
        # The frames hold the tensors that half a batch will need the room of.
        traceback.clear_frames(error.__traceback__)
        raise OutOfMemory(
            f"A batch of {batch} does not fit in the memory of `{device}`",
            hint="Give a smaller `batch_size`",
        ) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch, or of another backend, means a full device.

    >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    True
    >>> is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
    False
    """
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(w in str(error) for w in _WORDS)
