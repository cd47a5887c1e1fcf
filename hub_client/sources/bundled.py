"""The operators that ship with this package: they need no network and no trust."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from hub_client.sources import bundled_folder
from hub_client.sources.directory import DirectorySource, FolderUnreadable
from hub_client.tree_digest import DigestMismatch, tree_digest
from hub_client.version import VERSION
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from pathlib import Path

    from hub_client.candidate import Fetchable


class ShippedOtherwise(HubError):
    """A lock has an operator as another release of this package ships it."""

    def __init__(self, wanted: Fetchable) -> None:
        super().__init__(
            f"towhee-hub {VERSION} does not ship {wanted.name} "
            f"{wanted.release.version} with the files that the lock has",
            hint="Install the towhee-hub that it was locked with, or run "
            f"`hub lock --upgrade {wanted.name}`",
        )


class BundledSource(DirectorySource):
    """The folder in the installed package, or the one beside it in a checkout."""

    def __init__(self) -> None:
        super().__init__(bundled_folder())

    def _unchanged_folder(self, wanted: Fetchable) -> Path:
        try:
            return super()._unchanged_folder(wanted)
        except (DigestMismatch, FolderUnreadable) as error:
            raise ShippedOtherwise(wanted) from error

    def _digest(self, folder: Path) -> str:
        return _digest_once(folder)


@cache
def _digest_once(folder: Path) -> str:
    """Hash once a process: an installed package does not change below it."""
    return tree_digest(folder)
