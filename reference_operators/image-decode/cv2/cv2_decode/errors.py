"""What this operator refuses."""

from __future__ import annotations

from plugin_spec import HubError


class UnreadableImage(HubError, ValueError):
    """No pixels can be had from a source; ``reason`` is a clause that says why."""

    def __init__(self, source: str, reason: str, *, hint: str | None = None) -> None:
        self.source = source
        self.reason = reason
        super().__init__(f"Cannot decode {source}: {reason}", hint=hint)
