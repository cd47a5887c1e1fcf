"""The contract between an operator and everything that installs or runs it.

What it offers is loaded when it is first used: reading a version takes milliseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from plugin_spec.errors import (
        HubError,
        InvalidManifest,
        InvalidName,
        InvalidOperator,
        InvalidRequirement,
        OutOfMemory,
    )
    from plugin_spec.hookspecs import hookimpl
    from plugin_spec.manifest import Manifest
    from plugin_spec.names import OperatorName
    from plugin_spec.operator import ModelOperator, Operator
    from plugin_spec.pinned import fetch_pinned, pinned_weights
    from plugin_spec.port import Port
    from plugin_spec.requirement import Requirement
    from plugin_spec.spaces import EmbeddingSpace
    from plugin_spec.stateful import StatefulOperator
    from plugin_spec.trainable import TrainableOperator, Trainee

__all__ = [
    "EmbeddingSpace",
    "HubError",
    "InvalidManifest",
    "InvalidName",
    "InvalidOperator",
    "InvalidRequirement",
    "Manifest",
    "ModelOperator",
    "Operator",
    "OperatorName",
    "OutOfMemory",
    "Port",
    "Requirement",
    "StatefulOperator",
    "TrainableOperator",
    "Trainee",
    "fetch_pinned",
    "hookimpl",
    "pinned_weights",
]

_MODULES: Final = {
    "EmbeddingSpace": "spaces",
    "HubError": "errors",
    "InvalidManifest": "errors",
    "InvalidName": "errors",
    "InvalidOperator": "errors",
    "InvalidRequirement": "errors",
    "Manifest": "manifest",
    "ModelOperator": "operator",
    "Operator": "operator",
    "OperatorName": "names",
    "OutOfMemory": "errors",
    "Port": "port",
    "Requirement": "requirement",
    "StatefulOperator": "stateful",
    "Trainee": "trainable",
    "TrainableOperator": "trainable",
    "hookimpl": "hookspecs",
    "fetch_pinned": "pinned",
    "pinned_weights": "pinned",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401  (each name has its own type, above)
    if name not in _MODULES:
        raise AttributeError(f"module `plugin_spec` has no `{name}`")
    value = getattr(import_module(f"plugin_spec.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
