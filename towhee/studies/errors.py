"""What a study refuses."""

from __future__ import annotations

from plugin_spec.errors import HubError


class CannotStudy(HubError, ValueError):
    """There is too little to measure, or it cannot be measured."""
