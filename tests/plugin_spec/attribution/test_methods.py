"""Maps are those of captum, and of the papers, to rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import captum.attr
import pytest
import timm
import torch
from timm.utils import AttentionExtract

from plugin_spec.attribution.attention_rollout import attention_rollout
from plugin_spec.attribution.errors import CannotExplain
from plugin_spec.attribution.grad_cam import find_map, grad_cam
from plugin_spec.attribution.integrated_gradients import integrated_gradients

if TYPE_CHECKING:
    from torch import Tensor, nn

LAYERS = {
    "test_resnet": "layer4",
    "test_efficientnet": "bn2",
    "test_convnext": "stages",
}


def made(name: str) -> nn.Module:
    """A model of ten outputs, in double: so rounding is all that may differ."""
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=10).double().eval()


def images(side: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, side, side, generator=generator).double()


def third(outputs: Tensor) -> Tensor:
    return outputs[:, 3]


@pytest.mark.parametrize(("name", "layer"), LAYERS.items())
def test_grad_cam_is_captums(name: str, layer: str) -> None:
    model, given = made(name), images(64)
    assert find_map(model, given) == layer
    oracle = captum.attr.LayerGradCam(model, model.get_submodule(layer))
    expected = oracle.attribute(given, target=3, relu_attributions=True)
    torch.testing.assert_close(grad_cam(model, given, third), expected[:, 0])


def test_grad_cam_of_a_layer_by_name_is_captums() -> None:
    model, given = made("test_resnet"), images(64)
    oracle = captum.attr.LayerGradCam(model, model.get_submodule("layer2"))
    expected = oracle.attribute(given, target=3, relu_attributions=True)[:, 0]
    assert expected.max() > 0
    torch.testing.assert_close(grad_cam(model, given, third, layer="layer2"), expected)


@pytest.mark.parametrize(
    ("name", "side"),
    [("test_resnet", 32), pytest.param("test_vit", 160, marks=pytest.mark.slow)],
)
def test_integrated_gradients_are_captums(name: str, side: int) -> None:
    model, given = made(name), images(side)
    oracle = captum.attr.IntegratedGradients(model)
    expected = oracle.attribute(given, target=3, n_steps=4)
    found = integrated_gradients(model, given, third, steps=4)
    torch.testing.assert_close(found, expected)


def test_integrated_gradients_sum_to_the_score() -> None:
    model, given = made("test_resnet"), images(32)[:1]
    total = integrated_gradients(model, given, third).sum()
    with torch.no_grad():
        expected = third(model(given)) - third(model(0 * given))
    assert abs(total - expected) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("from_token", [True, False])
def test_attention_rollout_is_the_papers(*, from_token: bool) -> None:
    model, given = made("test_vit"), images(160)
    # timm's own tool reads the graph of a model that was built without fused kernels.
    timm.layers.set_fused_attn(enable=False)
    try:
        seen = AttentionExtract(made("test_vit"), method="fx")(given)
    finally:
        timm.layers.set_fused_attn(enable=True)
    assert len(seen) == len(model.blocks)
    expected = []
    for image in range(2):
        rolled = torch.eye(101).double()
        for attention in seen.values():
            mean = attention[image].mean(dim=0) + torch.eye(101)
            rolled = mean / mean.sum(dim=-1, keepdim=True) @ rolled
        row = rolled[0] if from_token else rolled[1:].mean(dim=0)
        expected.append(row[1:].reshape(10, 10))
    found = attention_rollout(model, given, from_token=from_token)
    torch.testing.assert_close(found, torch.stack(expected))


def test_patches_of_a_wide_image_lie_in_rows() -> None:
    torch.manual_seed(0)
    model = timm.create_model("test_vit", img_size=(32, 96)).eval()
    assert attention_rollout(model, torch.randn(1, 3, 32, 96)).shape == (1, 2, 6)


@pytest.mark.parametrize(
    ("name", "side"), [("test_resnet", 64), ("test_swin", 64)], ids=str
)
def test_rollout_is_refused_without_attention_from_each_patch_to_each(
    name: str, side: int
) -> None:
    model = (
        timm.create_model("swin_tiny_patch4_window7_224", img_size=side, embed_dim=12)
        if name == "test_swin"
        else made(name).float()
    )
    with pytest.raises(CannotExplain) as error:
        attention_rollout(model.eval(), torch.randn(1, 3, side, side))
    assert str(error.value) == (
        "Attention rollout needs attention from each patch to each, in every layer, "
        "which this model has not"
    )


def test_grad_cam_is_refused_where_attention_moved_what_was_seen() -> None:
    with pytest.raises(CannotExplain) as error:
        grad_cam(made("test_vit"), images(160), third)
    assert str(error.value) == (
        "Grad-CAM needs a feature map, which this model has not"
    )


def test_a_network_is_left_as_it_was() -> None:
    model, given = made("test_vit"), images(160)
    fused = [module.attn.fused_attn for module in model.blocks]
    attention_rollout(model, given)
    integrated_gradients(model, given[:1], third, steps=2)
    assert [module.attn.fused_attn for module in model.blocks] == fused
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_frozen_weights_are_explained_where_gradients_are_off() -> None:
    model, given = made("test_resnet").requires_grad_(requires_grad=False), images(64)
    expected = grad_cam(made("test_resnet"), given, third)
    with torch.no_grad():
        found = grad_cam(model, given, third)
    torch.testing.assert_close(found, expected)
