"""The version of this distribution."""

from __future__ import annotations

from importlib import metadata


def hub_version() -> str:
    """As it is installed."""
    try:
        return metadata.version("towhee-hub")
    except metadata.PackageNotFoundError:
        return "(a checkout that is not installed)"
