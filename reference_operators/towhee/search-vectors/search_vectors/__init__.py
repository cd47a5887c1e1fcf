"""Exact nearest neighbours by matrix products."""

from __future__ import annotations

from plugin_spec import Operator, hookimpl

from .errors import InvalidVectors
from .search import SearchResult, SearchVectors

__all__ = ["InvalidVectors", "SearchResult", "SearchVectors", "operator_class"]


@hookimpl
def operator_class() -> type[Operator]:
    """Return the class that the manifest describes."""
    return SearchVectors
