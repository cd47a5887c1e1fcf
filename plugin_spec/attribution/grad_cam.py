"""Grad-CAM: the last feature map, its channels weighted by their gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugin_spec.attribution.errors import CannotExplain
from plugin_spec.attribution.watching import is_attention, own_view

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn


def grad_cam(
    network: nn.Module,
    images: Tensor,
    score: Callable[[Tensor], Tensor],
    *,
    layer: str | None = None,
) -> Tensor:
    """How much each position of a feature map speaks for the score.

    :param images: (B, 3, H, W), prepared.
    :param score: what the network gives, (B, …), to a number for each image, (B,).
    :param layer: the name of a module that gives (B, C, h, w); by default the last one
        that does.
    :returns: (B, h, w), 0 or more.
    :raises CannotExplain: if there is no such layer.

    Selvaraju et al., Grad-CAM, 2017.
    """
    import torch

    view = own_view(network)
    layer = layer or find_map(view, images)
    if layer is None:
        raise CannotExplain("Grad-CAM needs a feature map, which this model has not")
    found: list[Tensor] = []
    view.get_submodule(layer).register_forward_hook(
        lambda _module, _inputs, output: found.append(output)
    )
    with torch.enable_grad():
        # So that there is a gradient, also of a model whose weights are frozen.
        total = score(view(images.detach().requires_grad_())).sum()
        (gradients,) = torch.autograd.grad(total, found[-1])
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return (weights * found[-1].detach()).sum(dim=1).relu()


def find_map(network: nn.Module, images: Tensor) -> str | None:
    """The name of the last module that gives a feature map.

    None if there is none, or if positions look at each other after it: what such a
    model sees is no longer where it was.
    """
    import torch

    found: list[tuple[str, Tensor]] = []
    view = own_view(network)
    for name, module in view.named_modules():
        if name:
            module.register_forward_hook(_note(name, found))
    with torch.enable_grad():
        total = view(images[:1].detach().requires_grad_()).sum()
        outputs = [output for _, output in found]
        used: Sequence[Tensor | None] = ()
        if found:
            used = torch.autograd.grad(total, outputs, allow_unused=True)
    # A model may go on after the layer whose features were asked for.
    pairs = zip(found, used, strict=True)
    names = [name for (name, _), gradient in pairs if gradient is not None]
    return names[-1] if names else None


def _note(name: str, found: list[tuple[str, Tensor]]) -> Callable[..., None]:
    def hook(module: nn.Module, _inputs: object, output: Any) -> None:  # noqa: ANN401
        if _is_map(module, output):
            found.append((name, output))
        elif is_attention(module):
            found.clear()

    return hook


def _is_map(module: nn.Module, output: Any) -> bool:  # noqa: ANN401  (of any module)
    from torch import Tensor, nn

    # Without a convolution, the second axis may be anything.
    spatial = (nn.Conv2d, nn.BatchNorm2d)
    return (
        isinstance(output, Tensor)
        and output.ndim == 4  # noqa: PLR2004  (batch, channel, height, width)
        and output.shape[2] * output.shape[3] > 1
        and any(isinstance(each, spatial) for each in module.modules())
    )
