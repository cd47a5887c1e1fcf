"""Models whose layers can be watched while others use the same weights."""

from __future__ import annotations

from copy import deepcopy
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def own_view(network: nn.Module) -> nn.Module:
    """The same weights in modules of our own, evaluating.

    Hooks and settings of a view touch nobody else who computes with the network.
    """
    shared = chain(network.parameters(), network.buffers())
    return deepcopy(network, {id(each): each for each in shared}).eval()


def is_attention(module: nn.Module) -> bool:
    """Whether positions look at each other in it, and it says how much."""
    return hasattr(module, "attn_drop")
