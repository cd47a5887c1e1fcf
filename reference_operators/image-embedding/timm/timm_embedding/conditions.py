"""The conditions a model was trained under, and what was asked for instead."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from timm.data import resolve_model_data_config

from .errors import ConditionsDiffer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn


def resolve_conditions(
    model: nn.Module, tag: str, wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """The model's own preprocessing, with what ``wanted`` sets in its place.

    Warns once, of all that differs: a model embeds best what looks like its training.

    :param wanted: by timm's names; None leaves the model's own.
    """
    own = resolve_model_data_config(model)
    changed = {
        key: value
        for key, value in wanted.items()
        if value is not None and _comparable(value) != _comparable(own[key])
    }
    if changed:
        differences = "; ".join(
            f"{key} is {_words(value)}, trained with {_words(own[key])}"
            for key, value in changed.items()
        )
        warnings.warn(f"{tag}: {differences}", ConditionsDiffer, stacklevel=3)
    return {**own, **changed}


def _comparable(value: Any) -> Any:  # noqa: ANN401  (numbers, words and tuples of them)
    return tuple(value) if isinstance(value, list) else value


def _words(value: Any) -> str:  # noqa: ANN401  (as above)
    return str(_comparable(value))
