"""Embed images with any timm model, under the conditions it was trained with."""

from __future__ import annotations

from plugin_spec import Operator, hookimpl

from .embedding import TimmEmbedding
from .errors import (
    CannotRun,
    ConditionsDiffer,
    UnknownLayer,
    UnknownModel,
    WeightsMismatch,
    WeightsUnavailable,
)

__all__ = [
    "CannotRun",
    "ConditionsDiffer",
    "TimmEmbedding",
    "UnknownLayer",
    "UnknownModel",
    "WeightsMismatch",
    "WeightsUnavailable",
    "operator_class",
]


@hookimpl
def operator_class() -> type[Operator]:
    """Return the class that the manifest describes."""
    return TimmEmbedding
