"""What ``hub init`` writes: an operator that works, to be changed into one's own."""

from __future__ import annotations

from hub_client.scaffold.placement import FolderTaken, place
from hub_client.scaffold.skeleton import Kind, License, Skeleton

__all__ = ["FolderTaken", "Kind", "License", "Skeleton", "place"]
