"""One digest for all weights of a torch module."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


class WeightsDigest:
    """The digest of a module's weights; computed once, and again when they change.

    Equal tensors of equal names give it, whichever file they are from, on whatever
    device they lie and in whatever order their pixels do.

    :param module: its weights in the precision that they were trained in.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._digest: str | None = None

    def __call__(self) -> str:
        """``sha256:…``; takes about a second for 500 MB the first time."""
        if self._digest is None:
            self._digest = module_digest(self._module)
        return self._digest

    def changed(self, module: nn.Module | None = None) -> None:
        """Say that the weights are others now; they are hashed when it is asked for.

        :param module: what has them, if it is another.
        """
        self._module = self._module if module is None else module
        self._digest = None


def module_digest(module: nn.Module) -> str:
    """The digest of every parameter and every buffer that is saved, by name."""
    import torch

    digest = sha256()
    for name, tensor in sorted(module.state_dict().items()):
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {plain.dtype} {tuple(plain.shape)}\n".encode())
        digest.update(plain.reshape(-1).view(torch.uint8).numpy())
    return f"sha256:{digest.hexdigest()}"
