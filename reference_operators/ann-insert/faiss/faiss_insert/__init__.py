"""Put vectors and metadata into a folder of faiss files."""

from __future__ import annotations

from plugin_spec import Operator, hookimpl

from .insertion import FaissInsert

__all__ = ["FaissInsert", "operator_class"]


@hookimpl
def operator_class() -> type[Operator]:
    """Return the class that the manifest describes."""
    return FaissInsert
