"""Images as the model's evaluation saw them, bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from PIL import Image
from timm.data import create_transform
from timm.data.transforms import MaybeToTensor
from torchvision.transforms import Normalize

from .errors import InvalidImage
from .pixel_loops import looked_up
from .resizing import ResizeAndCrop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray


_AXES: Final = 3


class EvaluationTransform:
    """timm's own, its arithmetic looked up in a table."""

    def __init__(self, conditions: Mapping[str, Any]) -> None:
        transform = create_transform(**conditions, is_training=False)
        steps = list(transform.transforms)
        self._table = _table(steps)
        shorter = ResizeAndCrop.of(steps)
        self._steps = [Image.fromarray, *steps] if shorter is None else [shorter]

    def __call__(self, image: NDArray[np.uint8] | Image.Image) -> torch.Tensor:
        """A tensor, (3, H, W), float32.

        :param image: RGB, uint8, (H, W, 3); or a Pillow image.
        :raises InvalidImage: if it is another array.
        """
        step: Callable[[Any], Any]
        found: Any = pixels_of(image)
        for step in self._steps:
            found = step(found)
        if self._table is None:
            assert isinstance(found, torch.Tensor)
            return found
        pixels = np.ascontiguousarray(found)
        return torch.from_numpy(looked_up(pixels, self._table))


def pixels_of(image: NDArray[np.uint8] | Image.Image) -> NDArray[np.uint8]:
    """An image's pixels, RGB, uint8, (H, W, 3), one after the other in each row.

    :raises InvalidImage: if it has no pixels, or is an array of another kind.
    """
    if isinstance(image, Image.Image):
        image = np.asarray(image.convert("RGB"))
    shape = np.shape(image)
    kind = getattr(image, "dtype", type(image).__name__)
    if kind != np.uint8 or len(shape) != _AXES or shape[2] != _AXES or 0 in shape:
        raise InvalidImage(
            f"Expected an RGB image, uint8, (H, W, 3), got {kind} of shape {shape}",
            hint="Images come so out of `image-decode/cv2`; of others make one with "
            "`PIL.Image.fromarray`",
        )
    # Without what a subclass makes of an index: the loops trust in sizes.
    pixels = np.asarray(image)
    return pixels if pixels.strides[1:] == (_AXES, 1) else np.ascontiguousarray(pixels)


def sample_batches(transform: EvaluationTransform) -> list[tuple[torch.Tensor]]:
    """Synthetic images, prepared: a batch of seven and a batch of one."""
    prepared = [transform(image) for image in _sample_images(8)]
    return [(torch.stack(prepared[:7]),), (prepared[7].unsqueeze(0),)]


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
    return np.ascontiguousarray(table[:, 0])
