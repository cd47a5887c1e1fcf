"""Put vectors and metadata into a Milvus collection, in a file or on a server."""

from __future__ import annotations

from plugin_spec import Operator, hookimpl

from .insertion import MilvusInsert

__all__ = ["MilvusInsert", "operator_class"]


@hookimpl
def operator_class() -> type[Operator]:
    """Return the class that the manifest describes."""
    return MilvusInsert
