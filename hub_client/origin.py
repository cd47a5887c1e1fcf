"""Whose copy a folder of the cache is: its name is a hash, and a note is for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub_client.atomic_file import write_atomically
from hub_client.discretion import discreet

if TYPE_CHECKING:
    from pathlib import Path

_NOTE: Final = "hub-origin"


def note_origin(folder: Path, url: str) -> None:
    """Leave the address in the folder, if it is not there; credentials stay out."""
    note = folder / _NOTE
    if not note.exists():
        write_atomically(note, f"{discreet(url)}\n".encode())


def read_origin(folder: Path) -> str | None:
    """The address that was left in the folder; None if none was."""
    try:
        text = (folder / _NOTE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return "".join(filter(str.isprintable, text)) or None
