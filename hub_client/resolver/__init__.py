"""Choose one version per operator, and say why no other would do."""

from hub_client.resolver.explain import (
    ResolutionConflict,
    ResolutionGivenUp,
    UnknownOperator,
    nearest_names,
)
from hub_client.resolver.resolution import Rejection, Resolution
from hub_client.resolver.solver import resolve

__all__ = [
    "Rejection",
    "Resolution",
    "ResolutionConflict",
    "ResolutionGivenUp",
    "UnknownOperator",
    "nearest_names",
    "resolve",
]
