"""What this operator refuses."""

from __future__ import annotations

from plugin_spec import HubError


class InvalidVectors(HubError, ValueError):
    """Vectors cannot be compared: none, of several lengths, or not numbers."""
