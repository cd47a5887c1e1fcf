"""Embed texts with any Hugging Face encoder, pooled as its own configuration says."""

from __future__ import annotations

from plugin_spec import Operator, hookimpl

from .embedding import TransformersEmbedding
from .errors import (
    CannotRun,
    TextTruncated,
    UnknownPooling,
    WeightsMismatch,
    WeightsUnavailable,
)

__all__ = [
    "CannotRun",
    "TextTruncated",
    "TransformersEmbedding",
    "UnknownPooling",
    "WeightsMismatch",
    "WeightsUnavailable",
    "operator_class",
]


@hookimpl
def operator_class() -> type[Operator]:
    """Return the class that the manifest describes."""
    return TransformersEmbedding
