"""Decode images with OpenCV where it is exact, and with Pillow everywhere else."""

from __future__ import annotations

from plugin_spec import Operator, hookimpl

from .decode import Decode
from .errors import UnreadableImage

__all__ = ["Decode", "UnreadableImage", "operator_class"]


@hookimpl
def operator_class() -> type[Operator]:
    """Return the class that the manifest describes."""
    return Decode
