"""The contract between an operator and everything that installs or runs it."""

from plugin_spec.errors import (
    HubError,
    InvalidManifest,
    InvalidName,
    InvalidOperator,
    InvalidRequirement,
)
from plugin_spec.hookspecs import hookimpl
from plugin_spec.manifest import Manifest
from plugin_spec.names import OperatorName
from plugin_spec.operator import ModelOperator, Operator
from plugin_spec.port import Port
from plugin_spec.requirement import Requirement

__all__ = [
    "HubError",
    "InvalidManifest",
    "InvalidName",
    "InvalidOperator",
    "InvalidRequirement",
    "Manifest",
    "ModelOperator",
    "Operator",
    "OperatorName",
    "Port",
    "Requirement",
    "hookimpl",
]
