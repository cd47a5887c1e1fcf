"""Put vectors and metadata into a LanceDB table."""

from __future__ import annotations

from plugin_spec import Operator, hookimpl

from .insertion import LanceInsert

__all__ = ["LanceInsert", "operator_class"]


@hookimpl
def operator_class() -> type[Operator]:
    """Return the class that the manifest describes."""
    return LanceInsert
