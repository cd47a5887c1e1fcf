"""The operators that ship with this package: they need no network and no trust."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from hub_client.sources import bundled_folder
from hub_client.sources.directory import DirectorySource
from hub_client.tree_digest import tree_digest

if TYPE_CHECKING:
    from pathlib import Path


class BundledSource(DirectorySource):
    """The folder in the installed package, or the one beside it in a checkout."""

    def __init__(self) -> None:
        super().__init__(bundled_folder())

    def _digest(self, folder: Path) -> str:
        return _digest_once(folder)


@cache
def _digest_once(folder: Path) -> str:
    """Hash once a process: an installed package does not change below it."""
    return tree_digest(folder)
