"""Trees from a bundle, as if it were every source that a lock names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hub_client.bundle.places import FileMissing
from hub_client.sources import BUNDLED
from hub_client.sources.router import NoSignatures, SourceRouter
from hub_client.transfer import transfer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from hub_client.bundle.places import Place
    from hub_client.candidate import Fetchable
    from hub_client.listed_file import ListedFile
    from hub_client.lockfile import LockedOperator
    from hub_client.sources.signed_release import SignedRelease


class BundleRouter(SourceRouter):
    """Gives the trees of locked operators out of a bundle.

    A bundled operator comes with this hub, and from nowhere else: its source needs no
    trust, so a folder of a stranger's must not stand for it.
    """

    def __init__(
        self,
        place: Place,
        trees: Mapping[str, Mapping[str, ListedFile]],
        operators: Iterable[LockedOperator],
        *,
        cache_dir: Path,
    ) -> None:
        super().__init__({}, cache_dir=cache_dir, offline=True)
        self._place = place
        self._trees = {
            (each.name, each.revision): trees[each.tree]
            for each in operators
            if each.source != BUNDLED
        }

    def fetch(self, wanted: Fetchable, into: Path) -> None:
        """Copy the files of a locked tree, each one checked."""
        if wanted.source == BUNDLED:
            super().fetch(wanted, into)
            return
        files = self._tree(wanted)
        size = sum(file.size for file in files.values())
        with transfer(f"{wanted.name} {wanted.release.version}", size) as advance:
            for path, file in files.items():
                self._place.bring(file, into / path, advance)

    def files(self, wanted: Fetchable) -> Sequence[ListedFile]:
        """What the bundle lists of a tree."""
        if wanted.source == BUNDLED:
            return super().files(wanted)
        return tuple(
            replace(file, path=path) for path, file in self._tree(wanted).items()
        )

    def signed(self, wanted: Fetchable) -> SignedRelease:
        """Refuse: who signed is asked of a repository.

        :raises NoSignatures: always.
        """
        raise NoSignatures(
            f"`{self._place.name}` holds no signatures, and you require one of "
            f"`{wanted.source}`",
            hint="Sync from the source itself, or take out the requirement",
        )

    def _tree(self, wanted: Fetchable) -> Mapping[str, ListedFile]:
        try:
            return self._trees[wanted.name, wanted.release.revision]
        except KeyError as error:
            raise FileMissing(
                f"{wanted.name} is not in `{self._place.name}`"
            ) from error
