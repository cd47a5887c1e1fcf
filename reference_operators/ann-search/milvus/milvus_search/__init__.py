"""Find the nearest vectors of a Milvus collection, and their metadata."""

from __future__ import annotations

from plugin_spec import Operator, hookimpl

from .search import MilvusSearch

__all__ = ["MilvusSearch", "operator_class"]


@hookimpl
def operator_class() -> type[Operator]:
    """Return the class that the manifest describes."""
    return MilvusSearch
