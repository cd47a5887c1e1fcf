"""A bundle that may come from anybody, held against the lock that one trusts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub_client.bundle.listing import (
    LISTING_FILE,
    SIGNATURES,
    SIZE_LIMIT,
    BundleListing,
    files_digest,
    told_in_short,
    weights_path,
)
from hub_client.bundle.places import (
    FileMissing,
    FolderPlace,
    NoBundle,
    open_place,
)
from hub_client.bundle.platforms import Platform
from hub_client.sources import BUNDLED
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Self

    from hub_client.bundle.places import Place
    from hub_client.environment import Environment
    from hub_client.listed_file import ListedFile
    from hub_client.lockfile import LockedOperator, LockedPackage, Lockfile
    from plugin_spec.manifest import Weights


class OtherPlatform(HubError):
    """A bundle was made for other platforms than the one at hand."""


class OtherLock(HubError):
    """A bundle does not have what a lock needs; ``missing`` has a sentence for each."""

    def __init__(self, bundle: Bundle, lock: Lockfile, missing: Iterable[str]) -> None:
        self.missing = tuple(missing)
        place = bundle.place.name
        same = bundle.listing.lock == lock_digest(lock)
        super().__init__(
            f"`{place}` "
            + ("is not complete" if same else "was made for another `hub.lock`")
            + told_in_short(self.missing),
            hint="Where there is a network, run `hub mirror` on it with this `hub.lock`"
            + ("" if same else ", or use the `hub.lock` that it was made for"),
        )


@dataclass(frozen=True, slots=True)
class Offer:
    """What of a bundle a lock needs on one platform; all that is asked of it."""

    trees: Mapping[str, Mapping[str, ListedFile]]
    """By digest, the files of each tree, by path."""
    wheels: Mapping[tuple[str, str], ListedFile]
    """By name and version of the package."""
    weights: tuple[tuple[Weights, ListedFile], ...]
    signatures: Mapping[str, ListedFile]
    """Of all operators that it has, by path."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A place, and what it says that it has."""

    place: Place
    listing: BundleListing

    @classmethod
    def open(cls, text: str, *, offline: bool = False) -> Self:
        """Read the listing of a folder, or of an address.

        :raises NoBundle: if there is none.
        :raises InvalidBundle: if it lists what no bundle may hold.
        """
        place = open_place(text, offline=offline)
        try:
            content = place.read(LISTING_FILE, SIZE_LIMIT)
        except FileMissing as error:
            if isinstance(place, FolderPlace) and not place.root.is_dir():
                raise NoBundle(
                    f"`{place.name}` is a file, and a bundle is a folder"
                    if place.root.exists()
                    else f"There is no folder `{place.name}`",
                    hint="Name the folder that `hub bundle -o DIR` made",
                ) from error
            raise NoBundle(
                f"`{place.name}` is no bundle: it has no `{LISTING_FILE}`",
                hint="Name the folder that `hub bundle -o DIR` made; "
                "one that was interrupted has none yet",
            ) from error
        return cls(place, BundleListing.loads(content, place=place.name))

    def offer(self, lock: Lockfile, environment: Environment) -> Offer:
        """What ``lock`` needs here; nothing but the listing is read.

        :raises OtherPlatform: naming those that it was made for.
        :raises OtherLock: naming all that it does not have.
        """
        platform = self._platform(environment)
        missing: list[str] = []
        trees = dict(self._trees(lock.operators, missing))
        wheels = dict(self._wheels(lock.packages, platform, environment, missing))
        weights = tuple(self._weights(lock.operators, missing))
        if missing:
            raise OtherLock(self, lock, missing)
        files = self.listing.files.items()
        signatures = {path: file for path, file in files if path.startswith(SIGNATURES)}
        return Offer(trees, wheels, weights, signatures)

    def _platform(self, environment: Environment) -> Platform:
        here = Platform.of(environment)
        for each in self.listing.platforms:
            if each.serves(here):
                return each
        made = " and ".join(map(str, self.listing.platforms)) or "nothing"
        raise OtherPlatform(
            f"`{self.place.name}` was made for {made}, and here is {here}",
            hint="Where there is a network, make one for here: "
            f"`hub bundle -o DIR --platform {here.name} --python {here.python}`",
        )

    def _trees(
        self, operators: Iterable[LockedOperator], missing: list[str]
    ) -> Iterator[tuple[str, Mapping[str, ListedFile]]]:
        for operator in operators:
            if operator.source == BUNDLED:
                continue  # it comes with this hub, which no bundle replaces
            files = self.listing.tree(operator.tree)
            if not files:
                missing.append(f"{operator.name} {operator.version} is not in it")
            elif files_digest(files) != operator.tree:
                missing.append(
                    f"{operator.name} {operator.version} has other files than locked"
                )
            else:
                yield operator.tree, files

    def _wheels(
        self,
        packages: Iterable[LockedPackage],
        platform: Platform,
        environment: Environment,
        missing: list[str],
    ) -> Iterator[tuple[tuple[str, str], ListedFile]]:
        from packaging.markers import Marker  # noqa: PLC0415  (as it is used)

        markers = dict(environment.markers)
        offered = {
            path.removeprefix("wheels/"): file
            for path, file in self.listing.files.items()
            if path.startswith("wheels/")
        }
        for package in packages:
            if package.marker and not Marker(package.marker).evaluate(markers):
                continue
            found = platform.best(
                name
                for name, file in offered.items()
                if file.digest in package.hashes and _is_of(name, package)
            )
            if found is None:
                missing.append(f"{package.name} {package.version} is not in it")
            else:
                yield (package.name, package.version), offered[found]

    def _weights(
        self, operators: Iterable[LockedOperator], missing: list[str]
    ) -> Iterator[tuple[Weights, ListedFile]]:
        if not self.listing.weights:
            return
        for weights in (each for operator in operators for each in operator.weights):
            file = self.listing.files.get(weights_path(str(weights.sha256)))
            subject = f"`{weights.repo}/{weights.file}`"
            if weights.sha256 is None or weights.revision is None:
                continue  # nobody could tell whether they are the right ones
            if file is None:
                missing.append(f"{subject} is not in it")
            elif file.digest[7:] != weights.sha256.removeprefix("sha256:"):
                missing.append(f"{subject} is another file than locked")
            else:
                yield weights, file


def lock_digest(lock: Lockfile) -> str:
    """The digest of a lock as it is written, ``sha256:…``."""
    return f"sha256:{hashlib.sha256(lock.dumps().encode()).hexdigest()}"


def _is_of(filename: str, package: LockedPackage) -> bool:
    """Whether a wheel says that it is this package at this version."""
    from packaging.utils import (  # noqa: PLC0415  (as it is used)
        InvalidWheelFilename,
        parse_wheel_filename,
    )
    from packaging.version import Version  # noqa: PLC0415

    try:
        name, version, _, _ = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return False
    return (str(name), version) == (package.name, Version(package.version))
