"""Find the nearest vectors of a LanceDB table, and their metadata."""

from __future__ import annotations

from plugin_spec import Operator, hookimpl

from .search import LanceSearch

__all__ = ["LanceSearch", "operator_class"]


@hookimpl
def operator_class() -> type[Operator]:
    """Return the class that the manifest describes."""
    return LanceSearch
