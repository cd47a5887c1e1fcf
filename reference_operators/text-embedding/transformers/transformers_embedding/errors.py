"""What this operator refuses, and the one thing it warns of."""

from __future__ import annotations

from plugin_spec import HubError


class WeightsUnavailable(HubError):
    """A model's files cannot be had. Random weights are never put in their place."""


class WeightsMismatch(HubError, ValueError):
    """Weights do not fit the model, or their file cannot be read."""


class UnknownPooling(HubError, LookupError):
    """A model's own configuration asks for what this operator does not compute."""


class CannotRun(HubError):
    """A model does not run as asked: on that device, or at that precision."""


class TextTruncated(UserWarning):
    """A text is longer than the model takes, and its end does not count."""
