"""The two towers of a CLIP model: what prepares their inputs, and what computes."""

from __future__ import annotations

import json
import warnings
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from .errors import CannotRun, OtherModality, TextTruncated

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

_BUCKET = 16
_STEPS = {
    "do_resize": ("size", "resample"),
    "do_center_crop": ("crop_size",),
    "do_rescale": ("rescale_factor",),
    "do_normalize": ("image_mean", "image_std"),
}


class ImageNetwork(nn.Module):
    """Pixels, (B, 3, H, W), to vectors, (B, D)."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401  (transformers' own)
        super().__init__()
        self.model = model.vision_model
        self.projection = model.visual_projection

    def forward(self, pixels: Tensor) -> Tensor:
        """One row an image, of any length."""
        found: Tensor = self.projection(self.model(pixel_values=pixels).pooler_output)
        return found


class TextNetwork(nn.Module):
    """Tokens and their mask, both (B, L), to vectors, (B, D)."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401  (transformers' own)
        super().__init__()
        self.model = model.text_model
        self.projection = model.text_projection

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """One row a text, of any length."""
        given = self.model(input_ids=ids, attention_mask=mask)
        found: Tensor = self.projection(given.pooler_output)
        return found


class Images:
    """Prepares images with transformers' own processor, on Pillow."""

    pooling = "cls"

    def __init__(self, processor: Any) -> None:  # noqa: ANN401  (transformers' own)
        self._processor = processor

    @property
    def conditions(self) -> Mapping[str, Any]:
        """Each step that is done, by the names of ``preprocessor_config.json``."""
        said = self._processor.to_dict()
        told = {
            key: said[key]
            for step, keys in _STEPS.items()
            if said.get(step)
            for key in keys
        }
        if "resample" in told:
            told["resample"] = Image.Resampling(told["resample"]).name.lower()
        return {**told, "colour": "RGB"}

    def prepare(self, image: NDArray[np.uint8] | Image.Image) -> Tensor:
        """A tensor, (3, H, W), float32."""
        if not isinstance(image, Image.Image | np.ndarray):
            raise _refused("image", "an image, (H, W, 3)", image)
        if isinstance(image, np.ndarray):
            image = Image.fromarray(image)
        # A picture of few pixels may look as if its channels came first.
        given = self._processor(image.convert("RGB"), return_tensors="pt")
        found: Tensor = given["pixel_values"][0]
        return found

    def key(self, prepared: Tensor) -> Hashable:
        """Images of one size share a batch; most models' have one."""
        return tuple(prepared.shape)

    def side_by_side(self, batch: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Pixels, (B, 3, H, W)."""
        return (torch.stack(tuple(batch)),)

    def samples(self) -> list[tuple[Tensor, ...]]:
        """Pixels at random: a batch of five, and one alone."""
        generator = np.random.default_rng(0)
        images = generator.integers(0, 256, (6, 64, 64, 3), np.uint8)
        prepared = [self.prepare(image) for image in images]
        return [self.side_by_side(prepared[:5]), self.side_by_side(prepared[5:])]


class Texts:
    """Cuts texts into tokens; threads may do so at once.

    transformers' own call changes the tokenizer's padding and truncation each time,
    which two threads cannot do at once: here both are set once, and stay.
    """

    pooling = "end of text"

    def __init__(self, name: str, tokenizer: Any, max_length: int) -> None:  # noqa: ANN401  (transformers' own)
        if not tokenizer.is_fast:
            raise CannotRun(f"`{name}` has no tokenizer.json, and cannot be given one")
        self._name = name
        self._tokens = tokenizer.backend_tokenizer
        self._tokens.no_padding()
        self._tokens.enable_truncation(max_length)
        self._padding = tokenizer.pad_token_id or 0
        self._max_length = max_length
        self._warned = False

    @cached_property
    def conditions(self) -> Mapping[str, Any]:
        """How texts are cut, and how much of one counts."""
        said = json.loads(self._tokens.to_str())
        own = {key: said[key] for key in said.keys() - {"truncation", "padding"}}
        digest = sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()
        return {"tokenizer": f"sha256:{digest}", "max_length": self._max_length}

    def prepare(self, text: str) -> Sequence[int]:
        """Tokens with those that mark the ends; warns once of a text that is cut."""
        if not isinstance(text, str):
            raise _refused("text", "a text", text)
        found = self._tokens.encode(text)
        if found.overflowing and not self._warned:
            self._warned = True
            warnings.warn(
                f"`{self._name}` reads {len(found.ids)} tokens, and of a longer text "
                f"the end does not count: {text[:40]!r}",
                TextTruncated,
                stacklevel=4,
            )
        ids: Sequence[int] = found.ids
        return ids

    def key(self, prepared: Sequence[int]) -> Hashable:
        """Texts of about one length share a batch: padding costs as words do."""
        return -(-len(prepared) // _BUCKET)

    def side_by_side(self, batch: Sequence[Sequence[int]]) -> tuple[Tensor, ...]:
        """Tokens and their mask, both (B, longest)."""
        shape = (len(batch), max(map(len, batch)))
        ids, mask = torch.full(shape, self._padding), torch.zeros(shape).long()
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        return ids, mask

    def samples(self) -> list[tuple[Tensor, ...]]:
        """Texts of several lengths together, and one alone."""
        texts = ["a photo of a cat on a red sofa", "two boats", "rain", "", "1, 2, 3"]
        prepared = [self.prepare(text) for text in (*texts, "a drawing")]
        return [self.side_by_side(prepared[:5]), self.side_by_side(prepared[5:])]


def _refused(modality: str, wanted: str, found: object) -> OtherModality:
    other = {"image": "text", "text": "image"}[modality]
    return OtherModality(
        f"`modality='{modality}'` takes {wanted}, got `{type(found).__name__}`",
        hint=f"The other tower, `modality='{other}'`, takes {other}s",
    )
