"""What a lock needs, brought together in a folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from hub_client.admission import admit
from hub_client.bundle import download
from hub_client.bundle.download import Wanted
from hub_client.bundle.listing import (
    BundleListing,
    files_digest,
    signature_path,
    tree_path,
    weights_path,
)
from hub_client.bundle.reading import lock_digest
from hub_client.bundle.registry import find_wheels
from hub_client.candidate import describe
from hub_client.listed_file import ListedFile, list_folder
from hub_client.sources import BUNDLED
from hub_client.transfer import transfer
from hub_client.trust import locate
from hub_client.weights import check_pinned, fetch_weights
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from packaging.specifiers import SpecifierSet

    from hub_client.bundle.folder import BundleFolder
    from hub_client.bundle.platforms import Platform
    from hub_client.bundle.registry import Wheel
    from hub_client.config import HubConfig
    from hub_client.lockfile import LockedOperator, Lockfile
    from hub_client.packages import PackageInstaller
    from hub_client.signatures import Signature
    from hub_client.sources.router import SourceRouter
    from hub_client.store import Store
    from hub_client.transfer import Advance
    from plugin_spec.manifest import Weights
    from plugin_spec.names import OperatorName


class NoRoom(HubError):
    """A disk has less room than what would come."""


class NotForPython(HubError):
    """A lock does not serve a version of Python that is asked for."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a bundle, and how it is brought if it is not there."""

    path: str
    wanted: Wanted
    bring: Callable[..., object]
    """Takes where to write it, and ``advance``."""


@dataclass(frozen=True, slots=True)
class Collector:
    """Brings what a lock pins from where it pins it."""

    store: Store
    router: SourceRouter
    config: HubConfig
    installer: PackageInstaller
    requires_python: SpecifierSet
    directory: Path | None = None
    """What relative sources start from."""
    once: Callable[[LockedOperator], object] | None = None
    """Told every operator that is trusted for this run alone; None to refuse it."""
    on_step: Callable[[str], object] = field(default=lambda _: None)
    """Told what is done now, in words."""

    def collect(
        self,
        lock: Lockfile,
        platforms: Iterable[Platform],
        folder: BundleFolder,
        *,
        weights: bool = True,
    ) -> BundleListing:
        """Fill ``folder`` with what ``lock`` needs; what it has already stays.

        :param weights: whether the weights that the lock pins come too.
        :raises UntrustedPublisher: before anything is fetched.
        :raises NotPinned: for weights of which the lock has no hash, as early.
        :raises NotForPython: if the lock does not serve a platform's Python.
        :raises NoWheel: if a package has none for a platform.
        """
        wanted = tuple(platforms)
        pins = _pinned_weights(lock) if weights else ()
        signatures = tuple(_signature_parts(lock, self._check(lock, wanted)))
        before = folder.before
        if (
            before
            and before.is_for(lock_digest(lock), wanted, weights=weights)
            and all(_lists(before, each) for each in signatures)
            and _is_whole(folder)
        ):
            folder.publish(before, lock.dumps().encode())
            return before
        parts = [
            *self._trees(lock, before),
            *self._wheels(lock, wanted),
            *map(self._weights_part, pins),
            *signatures,
        ]
        listing = BundleListing(
            lock=lock_digest(lock),
            platforms=wanted,
            files=self._put(parts, folder),
            weights=weights,
        )
        folder.publish(listing, lock.dumps().encode())
        return listing

    def _check(
        self, lock: Lockfile, platforms: Iterable[Platform]
    ) -> Mapping[OperatorName, Signature]:
        """Refuse what may not come; gives the signatures that were required."""
        signatures = admit(
            lock.operators,
            self.config,
            router=self.router,
            directory=self.directory,
            once=self.once,
        )
        for platform in platforms:
            # A patch release stands for its minor version.
            if not self.requires_python.contains(f"{platform.python}.99"):
                raise NotForPython(
                    f"The lock is for Python {self.requires_python}, and not for "
                    f"{platform.python}"
                )
        return signatures

    def _trees(self, lock: Lockfile, before: BundleListing | None) -> Iterator[Part]:
        for operator in lock.operators:
            if operator.source != BUNDLED:
                yield from self._tree(operator, before)

    def _tree(
        self, operator: LockedOperator, before: BundleListing | None
    ) -> Iterator[Part]:
        known = dict(before.tree(operator.tree)) if before else {}
        if files_digest(known) != operator.tree:
            self._fetch(operator)
            known = {file.path: file for file in self._stored_files(operator)}
        for path, file in known.items():
            wanted = Wanted.listed(file, f"`{path}` of {operator.name}")
            yield Part(
                tree_path(operator.tree, path),
                wanted,
                partial(self._copy, operator, path, wanted),
            )

    def _copy(
        self,
        operator: LockedOperator,
        path: str,
        wanted: Wanted,
        into: Path,
        advance: Advance,
    ) -> None:
        self._fetch(operator)
        download.copy(self.store.path(operator.tree) / path, into, wanted, advance)

    def _fetch(self, operator: LockedOperator) -> None:
        source = locate(operator.source, self.directory)
        if not self.store.has(operator.tree, source=source):
            self.on_step(f"Fetching {operator.name} {operator.version}")
            self.store.add(
                lambda folder: self.router.fetch(operator, folder),
                expected=operator.tree,
                source=source,
                what=describe(operator),
            )

    def _stored_files(self, operator: LockedOperator) -> tuple[ListedFile, ...]:
        files = list_folder(self.store.path(operator.tree))
        if files_digest({file.path: file for file in files}) != operator.tree:
            self.store.verify(operator.tree)  # it says how to go on
        return files

    def _wheels(self, lock: Lockfile, platforms: Iterable[Platform]) -> Iterator[Part]:
        for wheel in find_wheels(
            lock.packages,
            platforms,
            installer=self.installer,
            requires_python=self.requires_python,
        ):
            wanted = Wanted(f"`{wheel.filename}`", wheel.sha256, wheel.size)
            yield Part(
                f"wheels/{wheel.filename}",
                wanted,
                partial(self._fetch_wheel, wheel, wanted),
            )

    def _fetch_wheel(
        self, wheel: Wheel, wanted: Wanted, into: Path, advance: Advance
    ) -> None:
        parts = urlsplit(wheel.address)
        if parts.scheme == "file":
            download.copy(Path(url2pathname(parts.path)), into, wanted, advance)
        elif self.config.offline:
            raise HubError(
                f"`{wheel.filename}` would be fetched, and you are offline",
                hint="Run again without `--offline`, or with HUB_OFFLINE=0",
            )
        else:
            download.download(wheel.address, into, wanted, advance)

    def _weights_part(self, weights: Weights) -> Part:
        sha256 = str(weights.sha256).removeprefix("sha256:")
        wanted = Wanted(f"`{weights.repo}/{weights.file}`", sha256, weights.size)

        def bring(into: Path, advance: Advance) -> None:
            # To bring them takes longer than to copy them.
            path = fetch_weights(weights, offline=self.config.offline, advance=advance)
            download.copy(path.resolve(), into, wanted, lambda _arrived: None)

        return Part(weights_path(sha256), wanted, bring)

    def _put(self, parts: list[Part], folder: BundleFolder) -> dict[str, ListedFile]:
        missing = [each for each in parts if not folder.has(each.path, each.wanted)]
        size = sum(each.wanted.size or 0 for each in missing)
        check_room(folder.path, size)
        if missing:
            plural = "" if len(missing) == 1 else "s"
            self.on_step(f"Collecting {len(missing):,} file{plural}")
        with transfer("Collecting", size) as advance:
            for part in missing:
                bring = partial(part.bring, advance=advance)
                folder.put(part.path, part.wanted, bring)
        return {each.path: folder.listed(each.path, each.wanted) for each in parts}


def check_room(
    folder: Path,
    size: int,
    *,
    hint: str = "Make room on that disk, or name a folder on another one",
) -> None:
    """Refuse to begin what a disk has no room for.

    :raises NoRoom: with both sizes.
    """
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    free = disk_usage(existing).free
    if size > free:
        raise NoRoom(
            f"`{folder}` would take {size:,} bytes more, and its disk has {free:,} "
            "left",
            hint=hint,
        )


def _lists(before: BundleListing, part: Part) -> bool:
    file = before.files.get(part.path)
    return file is not None and file.digest == f"sha256:{part.wanted.sha256}"


def _is_whole(folder: BundleFolder) -> bool:
    """Whether every listed file is there, so that nobody need be asked for it."""
    return folder.before is not None and all(
        folder.has(path, Wanted.listed(file, path))
        for path, file in folder.before.files.items()
    )


def _signature_parts(
    lock: Lockfile, signatures: Mapping[OperatorName, Signature]
) -> Iterator[Part]:
    """What checks each signature again, where no source can be asked."""
    for operator in lock.operators:
        if signature := signatures.get(operator.name):
            content = signature.evidence()
            sha256 = hashlib.sha256(content).hexdigest()
            subject = f"the signature of {operator.name}"
            yield Part(
                signature_path(operator.tree, signature.kind),
                Wanted(subject, sha256, len(content)),
                partial(_write, content),
            )


def _write(content: bytes, into: Path, advance: Advance) -> None:
    into.parent.mkdir(parents=True, exist_ok=True)
    into.write_bytes(content)
    advance(len(content))


def _pinned_weights(lock: Lockfile) -> tuple[Weights, ...]:
    found = {}
    for weights in (each for operator in lock.operators for each in operator.weights):
        check_pinned(weights)
        found[weights_path(str(weights.sha256))] = weights
    return tuple(found.values())
