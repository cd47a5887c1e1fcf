"""Attention rollout: attention of all layers, followed back to the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugin_spec.attribution.errors import CannotExplain
from plugin_spec.attribution.watching import is_attention, own_view

if TYPE_CHECKING:
    from torch import Tensor, nn


def attention_rollout(
    network: nn.Module, images: Tensor, *, prefix: int = 1, from_token: bool = True
) -> Tensor:
    """How much of each patch arrives where the vector is taken; no score decides it.

    :param images: (B, 3, H, W), prepared.
    :param prefix: tokens before those of patches.
    :param from_token: the vector is that of the first token; otherwise it is the mean
        of the patches.
    :returns: (B, h, w) for patches that cover the image in rows; 0 or more.
    :raises CannotExplain: if attention is not from each patch to each.

    Heads are averaged, and each layer passes half of itself on: Abnar and Zuidema,
    Quantifying Attention Flow in Transformers, 2020.
    """
    import torch

    maps = attention_maps(network, images)
    if not (maps and len({each.shape for each in maps}) == 1 and _is_square(maps[0])):
        raise CannotExplain(
            "Attention rollout needs attention from each patch to each, in every "
            "layer, which this model has not"
        )
    own = torch.eye(maps[0].shape[-1]).to(maps[0])
    rolled = own
    for each in maps:
        rolled = (each.mean(dim=1) + own) / 2 @ rolled
    arriving = rolled[:, 0] if from_token else rolled[:, prefix:].mean(dim=1)
    return _in_rows(arriving[:, prefix:], *images.shape[-2:])


def attention_maps(network: nn.Module, images: Tensor) -> list[Tensor]:
    """What each layer of a transformer looks at, first to last: (B, heads, N, N)."""
    import torch

    found: list[Tensor] = []
    view = own_view(network)
    for module in view.modules():
        if is_attention(module):
            _watch(module, found)
    with torch.no_grad():
        view(images)
    return found


def _watch(module: Any, found: list[Tensor]) -> None:  # noqa: ANN401  (of any library)
    # A fused kernel keeps what it looks at to itself.
    module.fused_attn = False
    module.attn_drop.register_forward_hook(
        lambda _module, _inputs, output: found.append(output)
    )


def _is_square(attention: Tensor) -> bool:
    return attention.ndim == 4 and attention.shape[2] == attention.shape[3]  # noqa: PLR2004  (as above)


def _in_rows(patches: Tensor, height: int, width: int) -> Tensor:
    """Patches, (B, N), of an image of that size, as (B, h, w)."""
    side = (height * width / patches.shape[1]) ** 0.5
    grid = round(height / side), round(width / side)
    if grid[0] * grid[1] != patches.shape[1]:
        raise CannotExplain(
            f"{patches.shape[1]} patches do not cover {width} x {height} pixels in rows"
        )
    return patches.reshape(-1, *grid)
