"""Operators whose vectors can be taken in several places of their model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugin_spec.operator import ModelOperator


@runtime_checkable
class HasLayers(Protocol):
    """Has a model with layers to choose from; ``space`` says which it uses."""

    def layer_names(self) -> Sequence[str]:
        """Where vectors can be taken, from the input on."""

    def at_layer(self, layer: str) -> ModelOperator:
        """The same model with its vectors taken there.

        It gives what an operator gives that was made so, and takes what ``prepare`` of
        this one gives. Weights are shared, so that many layers fit into memory.
        """
