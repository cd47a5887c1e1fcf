"""Where in a model a vector is taken, and how its positions become one."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

from torch import nn

from .errors import UnknownLayer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

PENULTIMATE = "penultimate"
_USUAL: Mapping[str, Any] = {"layer": PENULTIMATE, "pooling": None, "normalize": True}


@dataclass(frozen=True, slots=True)
class Features:
    """What a layer gives: positions, (B, N, C), and the tokens before them."""

    positions: Tensor
    tokens: Tensor | None

    def pooled(self, how: str) -> Tensor:
        """One row an image, (B, D); ``check_pooling`` says whether it can be had."""
        if how == "avg":
            return self.positions.mean(dim=1)
        if how == "max":
            return self.positions.amax(dim=1)
        if how == "none":
            return self.positions.flatten(1)
        assert self.tokens is not None
        return self.tokens[:, 0]


class Network(nn.Module):
    """A model up to where its vectors are taken: (B, 3, H, W) in, (B, D) out.

    :param stage: an index; None for the penultimate features.
    :param pooling: None for the model's own, which a stage has not.
    """

    def __init__(
        self, model: nn.Module, stage: int | None, pooling: str | None
    ) -> None:
        super().__init__()
        self.model = model
        self.stage = stage
        self.pooling = pooling

    def forward(self, images: Tensor) -> Tensor:
        """One row an image, in the model's precision, of any length."""
        if self.stage is not None:
            features = stage_features(self.model, images, self.stage)
            return features.pooled(str(self.pooling))
        if self.pooling is not None:
            return last_features(self.model, images).pooled(self.pooling)
        vectors: Tensor = self.model(images)
        return vectors


def stage_names(model: Any) -> list[str]:  # noqa: ANN401  (timm's models share no type)
    """The names of a model's stages, first to last; empty if timm cannot give them."""
    if not hasattr(model, "forward_intermediates"):
        return []
    return [stage["module"] for stage in getattr(model, "feature_info", [])]


def resolve_taking(
    wanted: Mapping[str, Any], config: Mapping[str, Any]
) -> dict[str, Any]:
    """How vectors are taken: as asked, else as a checkpoint says, else as usual.

    >>> resolve_taking({"layer": None, "normalize": False}, {})
    {'layer': 'penultimate', 'pooling': None, 'normalize': False}
    """
    asked = {key: value for key, value in wanted.items() if value is not None}
    if "layer" in asked:
        # Another layer's pooling is none of this one's.
        return {**_USUAL, **asked}
    return {**_USUAL, **config.get("embedding", {}), **asked}


def find_stage(model: Any, tag: str, layer: str | int) -> int | None:  # noqa: ANN401
    """The index of a stage; None for the penultimate features.

    :raises UnknownLayer: listing the choices.
    """
    if layer == PENULTIMATE:
        return None
    names = stage_names(model)
    if isinstance(layer, int) and -len(names) <= layer < len(names):
        return layer % len(names)
    if layer in names:
        return names.index(str(layer))
    choices = ", ".join(f"`{name}`" for name in (PENULTIMATE, *names))
    raise UnknownLayer(
        f"{tag} has no layer {layer!r}",
        hint=f"Choose one of {choices}, or an index from 0 to {len(names) - 1}"
        if names
        else f"Choose `{PENULTIMATE}`: timm gives no stages of this model",
    )


def check_pooling(model: Any, tag: str, stage: int | None, pooling: str | None) -> None:  # noqa: ANN401
    """Refuse ``cls`` where no class token is: others may come first in its place.

    :raises UnknownLayer: naming what can be had.
    """
    if pooling != "cls":
        return
    given = _token_count(model) > 0 if stage is None else _gives_tokens(model)
    if getattr(model, "cls_token", None) is None or not given:
        where = "" if stage is None else " at its stages"
        raise UnknownLayer(
            f"{tag} gives no class token{where}", hint="Choose `avg`, `max` or `none`"
        )


def stage_features(model: Any, images: Tensor, stage: int) -> Features:  # noqa: ANN401
    """What one stage gives; those behind it are not computed where timm can stop."""
    gives_tokens = _gives_tokens(model)
    options = {"return_prefix_tokens": True} if gives_tokens else {}
    if "stop_early" in _forward_parameters(model):
        options["stop_early"] = True
    (found,) = model.forward_intermediates(
        images, indices=[stage], intermediates_only=True, **options
    )
    spatial, tokens = found if gives_tokens else (found, None)
    return Features(spatial.flatten(2).transpose(1, 2), tokens)


def _gives_tokens(model: Any) -> bool:  # noqa: ANN401
    """Whether a model's stages hold more than positions; some add tokens at the end."""
    given = "return_prefix_tokens" in _forward_parameters(model)
    return given and _token_count(model) > 0


def _forward_parameters(model: Any) -> Mapping[str, Any]:  # noqa: ANN401
    return signature(model.forward_intermediates).parameters


def last_features(model: Any, images: Tensor) -> Features:  # noqa: ANN401
    """What the whole model gives before it pools."""
    found = model.forward_features(images)
    if found.ndim == 3:  # noqa: PLR2004  (batch, token, channel)
        count = _token_count(model)
        return Features(found[:, count:], found[:, :count])
    if getattr(model, "output_fmt", "NCHW") == "NHWC":
        return Features(found.flatten(1, 2), None)
    return Features(found.flatten(2).transpose(1, 2), None)


def _token_count(model: Any) -> int:  # noqa: ANN401
    count: int = getattr(model, "num_prefix_tokens", 0)
    return count
