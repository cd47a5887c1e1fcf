"""What the hub may remove from the cache of Hugging Face's own tools."""

from __future__ import annotations

from pathlib import Path


def detach(found: Path) -> bool:
    """Remove a name from that cache, if it leads to a file that is not the cache's.

    The client leaves such a link as it is, whatever it fetches.

    :returns: whether it was one.
    """
    from huggingface_hub import constants

    if found.resolve().is_relative_to(Path(constants.HF_HUB_CACHE).resolve()):
        return False
    found.unlink(missing_ok=True)
    return True


def drop(found: Path) -> None:
    """Remove wrong bytes from that cache; a file that lies elsewhere is left alone."""
    if not detach(found):
        found.resolve().unlink(missing_ok=True)
