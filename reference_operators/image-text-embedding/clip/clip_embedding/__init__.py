"""Embed images and texts into one space, with the two towers of a CLIP model."""

from __future__ import annotations

from plugin_spec import Operator, hookimpl

from .embedding import ClipEmbedding
from .errors import (
    CannotRun,
    OtherModality,
    TextTruncated,
    WeightsMismatch,
    WeightsUnavailable,
)

__all__ = [
    "CannotRun",
    "ClipEmbedding",
    "OtherModality",
    "TextTruncated",
    "WeightsMismatch",
    "WeightsUnavailable",
    "operator_class",
]


@hookimpl
def operator_class() -> type[Operator]:
    """Return the class that the manifest describes."""
    return ClipEmbedding
