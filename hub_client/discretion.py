"""What a report may show: no password, no token, and nobody's home folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_HIDDEN: Final = "***"
_USER = re.compile(r"(?<=://)(?!git@)[^/\s]*@")
_QUERY = re.compile(r"(?<=\?)[^\s`'\"]+")
_TOKEN = re.compile(r"\b(?:hf_|gh[a-z]_|github_pat_|glpat-|pypi-|sk-)[A-Za-z0-9_-]{8,}")


def discreet(text: str) -> str:
    """The text without what only its owner should know.

    >>> discreet("git+https://me:secret@git.acme.example/embed.git")
    'git+https://***@git.acme.example/embed.git'
    >>> discreet("git+ssh://git@git.acme.example/embed.git")
    'git+ssh://git@git.acme.example/embed.git'
    >>> discreet("https://acme.example/simple?key=0123")
    'https://acme.example/simple?***'
    """
    text = _USER.sub(f"{_HIDDEN}@", text)
    text = _TOKEN.sub(_HIDDEN, _QUERY.sub(_HIDDEN, text))
    home = re.escape(str(Path.home()))
    return re.sub(rf"{home}(?=/|\\|$)", "~", text)
