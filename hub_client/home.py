"""Paths that begin with ``~``, or with ``~user``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    import os


class UnknownHome(HubError, ValueError):
    """A path begins with the home folder of nobody that this machine knows."""


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path with the home folder written out.

    :raises UnknownHome: if there is none.
    """
    try:
        return Path(path).expanduser()
    except (RuntimeError, ValueError) as error:  # the latter for a name with a NUL
        raise UnknownHome(
            f"`{path}` begins with a home folder that is not known here",
            hint="Write the path out",
        ) from error
