"""What cannot be explained."""

from __future__ import annotations

from plugin_spec.errors import HubError


class CannotExplain(HubError, ValueError):
    """A method does not fit a model, or there is nothing that could be explained."""
