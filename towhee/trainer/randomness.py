"""Random numbers that depend on the seed and the place alone.

Each batch and each step draws from numbers of its own, so that a training that was
killed draws what an uninterrupted one does, with any number of workers.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def seed_all(*place: int) -> None:
    """Let Python, numpy and torch draw from numbers that belong to a place."""
    import numpy as np
    import torch

    digest = blake2b(repr(place).encode(), digest_size=4).digest()
    seed = int.from_bytes(digest, "little")
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (transforms draw from it)
    if _has_other_devices():
        torch.manual_seed(seed)
    else:
        # For every kind of device, `manual_seed` writes a stack trace down in case that
        # one appears: a hundred times as long as seeding the one that there is.
        torch.default_generator.manual_seed(seed)


@cache
def _has_other_devices() -> bool:
    """Whether torch draws on anything but the CPU."""
    import torch

    return torch.accelerator.is_available()


@contextmanager
def own_numbers() -> Iterator[None]:
    """Leave the user's random numbers as they were."""
    import numpy as np
    import torch

    python, array = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(array)  # noqa: NPY002
