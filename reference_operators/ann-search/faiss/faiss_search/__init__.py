"""Find the nearest vectors of a folder of faiss files, and their metadata."""

from __future__ import annotations

from plugin_spec import Operator, hookimpl

from .search import FaissSearch

__all__ = ["FaissSearch", "operator_class"]


@hookimpl
def operator_class() -> type[Operator]:
    """Return the class that the manifest describes."""
    return FaissSearch
