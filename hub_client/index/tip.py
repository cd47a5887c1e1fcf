"""Which commit of an index is here, and how old that knowledge is; imports little."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from hub_client.git_url import is_whole

if TYPE_CHECKING:
    from pathlib import Path

TIP: Final = "refs/hub/tip"
"""The ref of a mirror that names the commit."""


def known_tip(mirror: Path) -> str | None:
    """The commit that was fetched last; None if none was."""
    if not is_whole(mirror):
        return None
    try:
        return (mirror / TIP).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None


def note_asked(mirror: Path) -> None:
    """Remember that the index's server was asked now; if not, it is asked again."""
    with suppress(OSError):
        _asked(mirror).touch()


def seconds_since_asked(mirror: Path) -> float:
    """How long ago that was; without end if it never was."""
    try:
        # A clock that was set back does not make an index fresh for years.
        return abs(time.time() - _asked(mirror).stat().st_mtime)
    except FileNotFoundError:
        return float("inf")


def _asked(mirror: Path) -> Path:
    return mirror.with_suffix(".asked")
