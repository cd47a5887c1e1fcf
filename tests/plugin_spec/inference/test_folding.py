"""Folding changes how a module computes, never what it is or gives."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from plugin_spec.inference.folding import Folding, _folded
from plugin_spec.inference.opening import open_backend

if TYPE_CHECKING:
    from collections.abc import Callable

SHAPE = (1, 3, 8, 8)


class Convolved(nn.Module):
    """A convolution, and a normalisation that has learned something."""

    def __init__(self, *, bias: bool = True, affine: bool = True) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3, bias=bias)
        self.norm = nn.BatchNorm2d(4, affine=affine)
        with torch.no_grad():
            self.norm.running_mean.normal_()
            self.norm.running_var.uniform_(0.1, 3)
            for weight in self.norm.parameters():
                weight.normal_()

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.convolution(images)).relu()


class Reused(Convolved):
    def forward(self, images: Tensor) -> Tensor:
        found = self.convolution(images)
        return self.norm(found) + found


class Repeated(Convolved):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) + super().forward(images.flip(0))


class Between(Convolved):
    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.convolution(images).relu_())


class Beside(Convolved):
    """Its weights have a second holder."""

    def __init__(self) -> None:
        super().__init__()
        self.other = self.convolution

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.other(images))


class Standardised(nn.Conv2d):
    def forward(self, images: Tensor) -> Tensor:
        weight = self.weight / self.weight.norm()
        return nn.functional.conv2d(images, weight, self.bias)


class OfAnotherKind(Convolved):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = Standardised(3, 4, 3)


class Silent(Convolved):
    """What it gives shows nothing."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) * 0


class Picky(Convolved):
    def forward(self, images: Tensor) -> Tensor:
        if images.min() < 0:
            raise ValueError("no image")
        return super().forward(images)


def drawn(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make().eval()


def images(count: int = 2) -> Tensor:
    return torch.rand(count, *SHAPE[1:], generator=torch.Generator().manual_seed(1))


def check(folding: Folding, module: nn.Module) -> None:
    """A view gives what the module gives."""
    with torch.inference_mode():
        torch.testing.assert_close(folding.view()(images()), module(images()))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_a_normalisation_is_computed_by_the_convolution_before_it(
    bias: bool, affine: bool
) -> None:
    module = drawn(lambda: Convolved(bias=bias, affine=affine))
    before = deepcopy(module.state_dict())
    folding = Folding.of(module, SHAPE)
    view = folding.view()
    assert isinstance(view.norm, nn.Identity)
    check(folding, module)
    assert isinstance(module.norm, nn.BatchNorm2d)
    torch.testing.assert_close(module.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize(
    "make",
    [Reused, Repeated, Between, Beside, OfAnotherKind, Silent, Picky],
    ids=lambda kind: kind.__name__,
)
def test_what_is_not_certain_is_left_alone(make: type[nn.Module]) -> None:
    module = drawn(make)
    folding = Folding.of(module, SHAPE)
    assert folding.pairs == ()
    assert folding.view() is module


def _in_place(module: Convolved) -> None:
    with torch.no_grad():
        module.convolution.weight.mul_(2)


def _other_data(module: Convolved) -> None:
    module.norm.weight.data = module.norm.weight.data * 2


def _other_data_twice(module: Convolved) -> None:
    _other_data(module)
    _other_data(module)


def _other_parameter(module: Convolved) -> None:
    module.norm.bias = nn.Parameter(torch.ones(4))


def _trained(module: Convolved) -> None:
    with torch.no_grad():
        module.train()(images(8))
    module.eval()


def _training(module: Convolved) -> None:
    module.train()


def _loaded(module: Convolved) -> None:
    module.load_state_dict({k: v * 2 for k, v in module.state_dict().items()})


def _assigned(module: Convolved) -> None:
    module.load_state_dict(drawn(Convolved).state_dict(), assign=True)


def _replaced(module: Convolved) -> None:
    module.norm = nn.BatchNorm2d(4, eps=0.5).eval()


def _other_eps(module: Convolved) -> None:
    module.norm.eps = 0.5


def _laid_out_otherwise(module: Convolved) -> None:
    module.to(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    "change",
    [
        _in_place,
        _other_data,
        _other_data_twice,
        _other_parameter,
        _trained,
        _training,
        _loaded,
        _assigned,
        _replaced,
        _other_eps,
        _laid_out_otherwise,
    ],
)
def test_a_change_of_the_module_shows_at_once(
    change: Callable[[Convolved], None],
) -> None:
    module = drawn(Convolved)
    folding = Folding.of(module, SHAPE)
    check(folding, module)
    change(module)
    check(folding, module)
    change(module)
    check(folding, module)


def test_hooks_of_the_module_are_called() -> None:
    module = drawn(lambda: nn.Sequential(Convolved(), nn.Flatten()))
    folding = Folding.of(module, SHAPE)
    assert folding.pairs
    seen: list[Tensor] = []
    for each in (module[0].norm, module[0], module[1]):
        each.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    check(folding, module)
    for found, expected in zip(seen[:3], seen[3:], strict=True):
        torch.testing.assert_close(found, expected)


def test_folded_weights_are_kept_once_and_go_with_their_module() -> None:
    module = drawn(Convolved)
    first, second = (Folding.of(module, SHAPE).view() for _ in range(2))
    assert first.convolution.weight is second.convolution.weight
    before = len(_folded)
    del first, second, module
    assert len(_folded) < before


def test_a_backend_folds_unless_it_is_told_not_to() -> None:
    module = drawn(Convolved)
    backend = open_backend("eager", module, list)
    assert "batch_norm" not in backend.settings()
    folded = backend(images())
    assert backend.settings()["batch_norm"] == ("folded", "kept")
    backend.configure(batch_norm="kept")
    with torch.inference_mode():
        expected = module(images().to(memory_format=torch.channels_last))
    assert torch.equal(backend(images()), expected)
    assert not torch.equal(folded, expected)
    torch.testing.assert_close(folded, expected)


def test_a_lower_precision_is_not_folded() -> None:
    samples = [(images(4),), (images(1),)]
    backend = open_backend(
        "eager",
        drawn(lambda: nn.Sequential(Convolved(), nn.Flatten())),
        lambda: samples,
        dtype="bfloat16",
    )
    assert "batch_norm" not in backend.settings()
