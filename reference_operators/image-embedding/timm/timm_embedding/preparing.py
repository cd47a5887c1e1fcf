"""Images as the model's evaluation saw them: exactly, or nearly and faster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from timm.data import create_transform
from timm.data.transforms import MaybeToTensor
from torchvision.transforms import CenterCrop, Normalize, Resize
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as vision

from plugin_spec.inference.agreement import Agreement, compare
from plugin_spec.inference.opening import open_backend

from .errors import CannotRun
from .resizing import ResizeAndCrop, as_pillow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

_SMOOTH = {InterpolationMode.BILINEAR, InterpolationMode.BICUBIC}


class Exact:
    """timm's own transform, bit for bit, its arithmetic looked up in a table."""

    def __init__(self, conditions: Mapping[str, Any]) -> None:
        transform = create_transform(**conditions, is_training=False)
        steps = list(transform.transforms)
        self._table = _table(steps)
        shorter = ResizeAndCrop.of(steps)
        self._steps = [as_pillow, *steps] if shorter is None else [shorter]

    def __call__(self, image: NDArray[np.uint8] | Image.Image) -> torch.Tensor:
        """A tensor, (3, H, W), float32.

        :param image: RGB, uint8, (H, W, 3); or a Pillow image.
        """
        step: Callable[[Any], Any]
        found: Any = image
        for step in self._steps:
            found = step(found)
        if self._table is None:
            assert isinstance(found, torch.Tensor)
            return found
        return _looked_up(self._table, np.asarray(found).transpose(2, 0, 1))


class Fast:
    """The same steps on uint8 tensors: each pixel within one grey level of Pillow's."""

    def __init__(self, conditions: Mapping[str, Any]) -> None:
        transform = create_transform(**conditions, is_training=False)
        steps = list(transform.transforms)
        table = _table(steps)
        resize, crop = steps if len(steps) == 2 else (None, None)  # noqa: PLR2004
        if (
            table is None
            or not isinstance(resize, Resize)
            or not isinstance(crop, CenterCrop)
            or resize.interpolation not in _SMOOTH
        ):
            raise CannotRun(
                "There is no fast transform of these conditions: it knows bilinear and "
                "bicubic resizing with a crop at the centre",
                hint="Leave out `transform`",
            )
        self._table = table
        self._resize, self._crop = resize, crop

    def __call__(self, image: NDArray[np.uint8] | Image.Image) -> torch.Tensor:
        """A tensor, (3, H, W), float32; ``Exact`` says what of."""
        if isinstance(image, Image.Image):
            image = np.array(as_pillow(image))
        # torch knows no arrays that must not be written to.
        pixels = np.require(image, requirements=["C", "W"])
        size = self._resize.size
        resized = vision.resize(
            torch.from_numpy(pixels).permute(2, 0, 1),
            [size] if isinstance(size, int) else list(size),
            interpolation=self._resize.interpolation,
            antialias=True,
        )
        cropped = vision.center_crop(resized, list(self._crop.size))
        return _looked_up(self._table, cropped.numpy())


def sample_batches(transform: Exact | Fast) -> list[tuple[torch.Tensor]]:
    """Synthetic images, prepared: a batch of seven and a batch of one."""
    prepared = [transform(image) for image in _sample_images(8)]
    return [(torch.stack(prepared[:7]),), (prepared[7].unsqueeze(0),)]


def measure_fast(
    transform: Fast, conditions: Mapping[str, Any], network: torch.nn.Module
) -> Agreement:
    """How close vectors of the fast transform come to those of the exact one."""
    exact, fast = (sample_batches(each) for each in (Exact(conditions), transform))
    eager = open_backend("eager", network, lambda: exact)
    with torch.inference_mode():
        vectors = [
            torch.cat([eager(images) for (images,) in each]) for each in (fast, exact)
        ]
    return compare(*vectors)


def _sample_images(count: int) -> list[NDArray[np.uint8]]:
    """Images to try a model on: blotches of every size, as many as photographs have.

    :returns: RGB, uint8, (H, W, 3); the same every time.
    """
    generator = torch.Generator().manual_seed(0)
    images = []
    for _ in range(count):
        image = torch.zeros(1, 3, 240, 320)
        for cells in (2, 4, 8, 16, 32, 64, 128):
            noise = torch.rand(1, 3, cells, cells, generator=generator) - 0.5
            grown = torch.nn.functional.interpolate(noise, (240, 320), mode="bilinear")
            # Photographs have less in their details, by about this law.
            image += grown / cells**0.5
        image = (image - image.amin()) / (image.amax() - image.amin())
        pixels = (image[0] * 255).to(torch.uint8).permute(1, 2, 0)
        images.append(pixels.contiguous().numpy())
    return images


def _table(steps: list[Any]) -> NDArray[np.float32] | None:
    """What the last two steps make of each grey level, (3, 256); they are taken off.

    None if they are others than timm's usual, and every step stays.
    """
    if not (
        len(steps) > 1
        and isinstance(steps[-2], MaybeToTensor)
        and isinstance(steps[-1], Normalize)
    ):
        return None
    levels = np.arange(256, dtype=np.uint8).reshape(1, 256, 1).repeat(3, axis=2)
    table: NDArray[np.float32] = steps[-1](steps[-2](Image.fromarray(levels))).numpy()
    del steps[-2:]
    return table[:, 0]


def _looked_up(table: NDArray[np.float32], channels: NDArray[np.uint8]) -> torch.Tensor:
    found = np.empty(channels.shape, np.float32)
    for values, pixels, out in zip(table, channels, found, strict=True):
        # Every level is in the table; `clip` only spares numpy a copy of the result.
        np.take(values, pixels, out=out, mode="clip")
    return torch.from_numpy(found)
