"""What float32 is on a GPU: by torch's own settings, by ours, and by ours as tf32.

Weights are random, with every block in use and normalisations fitted to the inputs,
which are noise; vectors are compared with those of the processor.
"""

from __future__ import annotations

import statistics
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import timm
import torch

from plugin_spec.inference.agreement import compare
from plugin_spec.inference.products import float32_products

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MODELS: Final = ("resnet50", "mobilenetv3_small_050", "vit_small_patch16_224")
BATCH: Final = 64
ROUNDS: Final = 20
WAYS: Final[Mapping[str, Callable[[], AbstractContextManager[None]]]] = {
    "torch by itself": nullcontext,
    "dtype='float32'": partial(float32_products, exact=True),
    "dtype='tf32'": partial(float32_products, exact=False),
}


def fitted(name: str, images: torch.Tensor) -> Any:  # noqa: ANN401  (timm's own)
    """A model whose every block does something."""
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=0)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            module.momentum = None
    model.train()(images)
    return model.eval()


def seconds(
    model: Callable[[torch.Tensor], torch.Tensor], batch: torch.Tensor
) -> float:
    """The median of a batch's time, once it is warm."""
    taken = []
    for number in range(ROUNDS + 5):
        torch.cuda.synchronize()
        start = time.perf_counter()
        model(batch)
        torch.cuda.synchronize()
        if number >= 5:
            taken.append(time.perf_counter() - start)
    return statistics.median(taken)


@torch.no_grad()
def main() -> None:
    """Print the table."""
    if not torch.cuda.is_available():
        sys.exit("torch finds no GPU here")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}\n")
    print("| | | images/s | 1 - cosine | centred |\n|---|---|---|---|---|")
    images = torch.randn(BATCH, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    for name in MODELS:
        model = fitted(name, images[:16])
        expected = model(images[:16])
        model = model.cuda().to(memory_format=torch.channels_last)
        batch = images.cuda().contiguous(memory_format=torch.channels_last)
        for way, products in WAYS.items():
            with products():
                found = compare(model(batch[:16]), expected)
                rate = BATCH / seconds(model, batch)
            print(
                f"| {name} | {way} | {rate:,.0f} | {1 - found.cosine:.1e} "
                f"| {1 - found.centred:.1e} |"
            )


if __name__ == "__main__":
    main()
