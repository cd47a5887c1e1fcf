"""What this operator refuses, and the one thing it warns of."""

from __future__ import annotations

from plugin_spec import HubError


class WeightsUnavailable(HubError):
    """A model's files cannot be had. Random weights are never put in their place."""


class WeightsMismatch(HubError, ValueError):
    """Weights do not fit the model, or their file cannot be read."""


class CannotRun(HubError):
    """A model is no CLIP model, or does not run on that device or at that precision."""


class OtherModality(HubError, TypeError):
    """An image was given to the tower of texts, or a text to that of images."""


class TextTruncated(UserWarning):
    """A text is longer than the model takes, and its end does not count."""
