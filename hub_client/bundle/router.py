"""Trees from a bundle, as if it were every source that a lock names."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hub_client.bundle.listing import signature_path
from hub_client.bundle.places import FileMissing
from hub_client.sources import BUNDLED
from hub_client.sources.packed_signature import PACK_SIZE_LIMIT, open_packed
from hub_client.sources.router import NoSignatures, SourceRouter
from hub_client.sources.signed_release import SIGSTORE_SIZE_LIMIT, SignedRelease
from hub_client.transfer import transfer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from hub_client.bundle.places import Place
    from hub_client.bundle.reading import Offer
    from hub_client.candidate import Fetchable
    from hub_client.listed_file import AnyFile, ListedFile
    from hub_client.lockfile import LockedOperator
    from hub_client.sources.signed_release import SignedInGit


class BundleRouter(SourceRouter):
    """Gives the trees of locked operators out of a bundle.

    A bundled operator comes with this hub, and from nowhere else: its source needs no
    trust, so a folder of a stranger's must not stand for it.
    """

    def __init__(
        self,
        place: Place,
        offer: Offer,
        operators: Iterable[LockedOperator],
        *,
        cache_dir: Path,
    ) -> None:
        super().__init__({}, cache_dir=cache_dir, offline=True)
        self._place = place
        self._signatures = offer.signatures
        self._trees = {
            (each.name, each.revision): offer.trees[each.tree]
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

    def origin(self, wanted: Fetchable, directory: Path | None) -> str | None:
        """None: that they are the files of a source is the lock's word, and no more."""
        if wanted.source == BUNDLED:
            return super().origin(wanted, directory)
        return None

    def files(self, wanted: Fetchable) -> Sequence[AnyFile]:
        """What the bundle lists of a tree."""
        if wanted.source == BUNDLED:
            return super().files(wanted)
        return tuple(
            replace(file, path=path) for path, file in self._tree(wanted).items()
        )

    def signed(self, wanted: Fetchable) -> SignedRelease:
        """What the bundle holds to check the signature of a locked tree again.

        :raises NoSignatures: if that is nothing.
        """
        release, tree = wanted.release, str(wanted.release.tree)
        sigstore = self._signatures.get(signature_path(tree, "sigstore"))
        pack = self._signatures.get(signature_path(tree, "git"))
        if sigstore is None and pack is None:
            raise NoSignatures(
                f"`{self._place.name}` holds no signature of {wanted.name} "
                f"{release.version}, and you require one of `{wanted.source}`",
                hint="Make it again where your configuration requires the same, or "
                "sync from the source itself",
            )

        def find_bundles() -> Iterator[bytes]:
            if sigstore is not None:
                yield self._read(sigstore, SIGSTORE_SIZE_LIMIT)

        @contextmanager
        def open_git() -> Iterator[SignedInGit]:
            assert pack is not None
            with open_packed(
                self._read(pack, PACK_SIZE_LIMIT),
                commit=release.revision,
                tag=release.ref or f"refs/tags/v{release.version}",
                bring_files=partial(self.fetch, wanted),
                where=f"`{pack.path}` in `{self._place.name}`",
            ) as signed:
                yield signed

        return SignedRelease(
            find_bundles,
            without_bundle=f"`{self._place.name}` holds none",
            tree_digest=lambda: tree,
            open_git=open_git if pack is not None else None,
        )

    def _read(self, file: ListedFile, limit: int) -> bytes:
        """A small file; for one that is too large, one zero more than it may have."""
        if file.size > limit:
            return bytes(limit + 1)
        with TemporaryDirectory(prefix="hub-signed-") as folder:
            into = Path(folder, "file")
            self._place.bring(file, into, lambda _: None)
            return into.read_bytes()

    def _tree(self, wanted: Fetchable) -> Mapping[str, ListedFile]:
        try:
            return self._trees[wanted.name, wanted.release.revision]
        except KeyError as error:
            raise FileMissing(
                f"{wanted.name} is not in `{self._place.name}`"
            ) from error
