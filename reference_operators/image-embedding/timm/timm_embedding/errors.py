"""What this operator refuses, and the one thing it warns of."""

from __future__ import annotations

from plugin_spec import HubError


class UnknownModel(HubError, LookupError):
    """No timm model has this name."""


class UnknownLayer(HubError, LookupError):
    """A model has no such layer, or cannot pool it so; the choices are in the hint."""


class WeightsUnavailable(HubError):
    """A model's weights cannot be had. Random ones are never put in their place."""


class WeightsMismatch(HubError, ValueError):
    """Weights do not fit the model, or their file cannot be read."""


class CannotRun(HubError):
    """A model does not run as asked: on that device, at that size or precision."""


class InvalidImage(HubError, ValueError):
    """An array that is no image in the form that `image-decode` gives."""


class NoDomain(HubError, LookupError):
    """Images are to be held against those of a training of which nothing is known."""


class ConditionsDiffer(UserWarning):
    """Images will be prepared otherwise than when the model was trained."""
