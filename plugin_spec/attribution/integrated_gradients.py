"""Integrated gradients: each pixel's share of a score, over a way from grey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plugin_spec.attribution.watching import own_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

_AT_ONCE: Final = 8
"""Images that go through the model together."""


def integrated_gradients(
    network: nn.Module,
    images: Tensor,
    score: Callable[[Tensor], Tensor],
    *,
    steps: int = 50,
) -> Tensor:
    """Each input's share of the score; they sum to what it is more than at the start.

    :param images: (B, 3, H, W), prepared. The way begins at 0, which is the mean colour
        of the images that a model was trained on.
    :param score: what the network gives, (B, …), to a number for each image, (B,).
    :param steps: where gradients are taken, at the nodes of Gauss and Legendre.
    :returns: (B, 3, H, W); below 0 where an input speaks against it.

    Sundararajan et al., Axiomatic Attribution for Deep Networks, 2017.
    """
    import torch

    view = own_view(network)
    shares = [_share(view, each, score, steps) for each in images.detach()]
    return torch.stack(shares)


def _share(
    view: nn.Module, image: Tensor, score: Callable[[Tensor], Tensor], steps: int
) -> Tensor:
    import numpy as np
    import torch

    nodes, lengths = np.polynomial.legendre.leggauss(steps)
    places = torch.as_tensor((nodes + 1) / 2).to(image).view(-1, 1, 1, 1)
    weights = torch.as_tensor(lengths / 2).to(image).view(-1, 1, 1, 1)
    total = torch.zeros_like(image)
    for some in torch.arange(steps).chunk(-(-steps // _AT_ONCE)):
        with torch.enable_grad():
            way = (places[some] * image).requires_grad_()
            (gradients,) = torch.autograd.grad(score(view(way)).sum(), way)
        total += (weights[some] * gradients).sum(dim=0)
    return total * image
