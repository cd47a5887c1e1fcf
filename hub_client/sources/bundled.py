"""The operators that ship with this package: they need no network and no trust."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from hub_client.sources.directory import DirectorySource
from hub_client.tree_digest import tree_digest

_PACKAGE: Final = Path(__file__).resolve().parent.parent
_IN_A_WHEEL: Final = _PACKAGE / "bundled_operators"
_IN_A_CHECKOUT: Final = _PACKAGE.parent / "reference_operators"


class BundledSource(DirectorySource):
    """The folder in the installed package, or the one beside it in a checkout."""

    def __init__(self) -> None:
        super().__init__(_IN_A_WHEEL if _IN_A_WHEEL.is_dir() else _IN_A_CHECKOUT)

    def _digest(self, folder: Path) -> str:
        return _digest_once(folder)


@cache
def _digest_once(folder: Path) -> str:
    """Hash once a process: an installed package does not change below it."""
    return tree_digest(folder)
