"""Hashing again what is installed and locked, and naming every difference."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hub_client.distributions import find_distributions
from hub_client.listed_file import differing_files
from hub_client.package_needs import installed_for
from hub_client.packages import PinnedPackage, planned
from hub_client.receipt import DamagedReceipt, Receipt
from hub_client.sources import MANIFEST_FILE
from hub_client.tree_digest import UnsafeTree, tree_digest
from hub_client.weights import foreign_weights, is_pinned
from plugin_spec.errors import HubError, InvalidManifest
from plugin_spec.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from hub_client.candidate import Fetchable
    from hub_client.environment import Environment
    from hub_client.listed_file import AnyFile
    from hub_client.lockfile import LockedOperator, LockedPackage, Lockfile
    from hub_client.store import Store
    from plugin_spec.manifest import Weights

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

DAMAGED: Final = "it does not read back"
"""What is said of a receipt that is none any more."""

Place: TypeAlias = Literal["store", "environment", "lock", "weights", "signature"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not what it is said to be."""

    place: Place
    subject: str
    """An operator and its version, or a file."""
    message: str
    details: tuple[str, ...] = ()
    """Which files differ if that is known, otherwise the digests."""

    def __str__(self) -> str:
        lines = "".join(f"\n  {each}" for each in self.details)
        return f"{self.place}: {self.subject}: {self.message}{lines}"


@dataclass(slots=True)
class Verification:
    """Looks at what it is given, and collects what it finds."""

    store: Store
    list_files: Callable[[Fetchable], Sequence[AnyFile]]
    """What a source says of an operator's files; a HubError if it cannot be asked."""
    differences: list[Difference] = field(default_factory=list)
    unchecked: list[tuple[str, str]] = field(default_factory=list)
    """What could not be looked at, and why: it is not here, or nothing pins it."""
    receipts: list[Receipt] = field(default_factory=list)
    operators: int = 0
    weights: int = 0
    signatures: int = 0
    unanswered: bool = False
    """Whether there is a signature that could not be had, and so says nothing."""
    _trees: dict[str, bool] = field(default_factory=dict)

    def verify_environment(self, environment: Environment) -> Iterator[str]:
        """Look at every receipt and at the tree that it names; gives each subject."""
        for file in environment.receipt_files():
            yield file.stem
            try:
                receipt = Receipt.load(file)
            except DamagedReceipt:
                self._differs("environment", f"`{file}`", DAMAGED)
                continue
            subject = f"{receipt.name} {receipt.version}"
            if file.parts[-2:] != (receipt.name.namespace, f"{receipt.name.name}.json"):
                self._differs("environment", subject, f"its receipt is `{file}`")
                continue
            self.receipts.append(receipt)
            if not _DIGEST.fullmatch(str(receipt.tree)):
                self._differs("environment", subject, "its receipt names no tree")
            elif not self.store.has(receipt.tree):
                self._differs("environment", subject, "its files left the store")
            elif self._tree_is_right(receipt, receipt.tree):
                self._compare("environment", subject, receipt, receipt.tree)

    def verify_lock(self, lock: Lockfile) -> Iterator[str]:
        """Look at what a lock pins, and whether receipts agree; gives each subject."""
        receipts = {each.name: each for each in self.receipts}
        for locked in lock.operators:
            subject = f"{locked.name} {locked.version}"
            yield subject
            if not self.store.has(locked.tree):
                self.unchecked.append((subject, "it was never fetched here"))
            elif self._tree_is_right(locked, locked.tree):
                self._compare("lock", subject, locked, locked.tree)
            if (receipt := receipts.get(locked.name)) is not None:
                self._compare_receipt(subject, receipt, locked)
            elif self.store.has(locked.tree):
                self.unchecked.append((subject, "it is not installed here"))
        yield from self._verify_weights(
            (f"{locked.name} {locked.version}", each)
            for locked in lock.operators
            for each in locked.weights
        )

    def verify_packages(self, lock: Lockfile, environment: Environment) -> None:
        """Hold the Python packages that a lock pins against what asks for them.

        And against those that are installed, by version. What a package asks for is
        known once it is installed.
        """
        pins = {
            each.name: each
            for each in lock.packages
            if each.is_for(environment.markers)
        }
        for operator in lock.operators:
            asked = [
                each
                for each in map(Requirement, operator.packages)
                if each.marker is None
                or each.marker.evaluate(dict(environment.markers))
            ]
            self._compare_pins(f"{operator.name} {operator.version}", asked, pins)
        wanted = (PinnedPackage(p.name, p.version, p.hashes) for p in pins.values())
        for change in planned(wanted, environment.installed_packages()).change:
            self._differs(
                "environment",
                change.pin.name,
                "its version is not the locked one",
                f"locked    {change.pin.version}",
                f"installed {change.installed}",
            )
        here = {each.name for each in find_distributions(environment.path)}
        if absent := sorted(pins.keys() - here):
            reason = f"`{absent[0]}` is not installed here"
            self.unchecked.append(("who asks for each Python package", reason))
            return
        needed = installed_for(
            (text for each in lock.operators for text in each.packages), environment
        )
        for need in needed.values():
            if need.name in pins and pins[need.name].version == need.version:
                self._compare_pins(str(need), map(Requirement, need.all.values()), pins)
        for each in pins.values():
            if each.name not in needed:
                subject = f"{each.name} {each.version}"
                self._differs("lock", subject, "no operator leads to this package")

    def _compare_pins(
        self,
        subject: str,
        requirements: Iterable[Requirement],
        pins: Mapping[str, LockedPackage],
    ) -> None:
        for each in requirements:
            pin = pins.get(canonicalize_name(each.name))
            if pin is None or not each.specifier.contains(
                pin.version, prereleases=True
            ):
                found = f"{pin.name} {pin.version}" if pin else "no such package"
                lines = (f"asked  {each}", f"locked {found}")
                self._differs("lock", subject, "its packages are not locked", *lines)

    def verify_signatures(
        self, lock: Lockfile, find_signer: Callable[[Fetchable], str | None]
    ) -> Iterator[str]:
        """Have every signature checked again that the user requires.

        :param find_signer: gives None if none is required; a HubError says what is
            there instead.
        """
        from hub_client.signatures import (  # noqa: PLC0415  (seldom)
            SignatureRefused,
            SignatureUnreachable,
        )

        locked = {(each.name, each.revision) for each in lock.operators}
        here: tuple[LockedOperator | Receipt, ...] = (*lock.operators, *self.receipts)
        for operator in here:
            if isinstance(operator, Receipt) and (
                (operator.name, operator.revision) in locked
            ):
                continue
            subject = f"{operator.name} {operator.version}"
            yield subject
            try:
                signer = find_signer(operator)
            except HubError as error:
                first, *rest = str(error).splitlines()
                self._differs("signature", subject, first, *map(str.strip, rest))
                refused = isinstance(error, SignatureRefused)
                if not refused or isinstance(error, SignatureUnreachable):
                    self.unanswered = True
                continue
            if signer is None:
                reason = "you require no signature of its source"
                self.unchecked.append((subject, reason))
                continue
            self.signatures += 1
            said = None if isinstance(operator, Receipt) else operator.signer
            if said not in {None, signer}:
                lines = (f"locked {said}", f"found  {signer}")
                self._differs("signature", subject, "somebody else signed it", *lines)

    def _tree_is_right(self, operator: Fetchable, digest: str) -> bool:
        """Whether the tree in the store has its digest; each is hashed once."""
        if digest not in self._trees:
            self.operators += 1
            folder = self.store.path(digest)
            problem = _tree_problem(folder, digest)
            self._trees[digest] = problem is None
            if problem is not None:
                files = self._differing_files(operator, folder)
                self._differs(
                    "store",
                    f"{operator.name} {operator.release.version}",
                    f"the files in `{folder}` are not those that were fetched",
                    *(files or problem),
                )
        return self._trees[digest]

    def _differing_files(self, operator: Fetchable, folder: Path) -> list[str]:
        try:
            return list(differing_files(folder, self.list_files(operator)))
        except (HubError, OSError):
            return []  # nobody can tell: the digests say that there is a difference

    def _compare(
        self, place: Place, subject: str, said: Receipt | LockedOperator, tree: str
    ) -> None:
        """Hold what a receipt or a lock says against the operator's own manifest."""
        file = self.store.path(tree) / MANIFEST_FILE
        text = file.read_bytes() if file.is_file() else b""
        digest = f"sha256:{hashlib.sha256(text).hexdigest()}"
        try:
            manifest = Manifest.from_yaml(text)
        except InvalidManifest as error:
            self._differs(place, subject, "its manifest is not valid", *error.problems)
            return
        for key, told, found in _told(said, manifest, digest):
            if told != found:
                self._differs(
                    place,
                    subject,
                    f"`{key}` is not what its `{MANIFEST_FILE}` says",
                    f"said  {told}",
                    f"found {found}",
                )

    def _compare_receipt(
        self, subject: str, receipt: Receipt, locked: LockedOperator
    ) -> None:
        for key in ("version", "source", "ref", "revision", "tree"):
            told, found = str(getattr(locked, key)), str(getattr(receipt, key))
            if told != found:
                self._differs(
                    "environment",
                    subject,
                    f"`{key}` is not the locked one",
                    f"locked    {told}",
                    f"installed {found}",
                )
                return  # the others follow from the first

    def _verify_weights(self, weights: Iterable[tuple[str, Weights]]) -> Iterator[str]:
        for operator, each in weights:
            subject = f"{operator}, `{each.repo}/{each.file}`"
            yield subject
            if each.sha256 is None or not is_pinned(each):
                self.unchecked.append((subject, "the lock does not pin it"))
                continue
            file = cached_weights(each)
            if file is None:
                self.unchecked.append((subject, "it was never fetched here"))
                continue
            self.weights += 1
            expected = f"sha256:{each.sha256.removeprefix('sha256:')}"
            with file.open("rb") as content:
                found = f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"
            if found != expected:
                lines = (f"expected {expected}", f"found    {found}")
                message = f"`{file}` is not the locked file"
                self._differs("weights", subject, message, *lines)

    def _differs(self, place: Place, subject: str, message: str, *details: str) -> None:
        self.differences.append(Difference(place, subject, message, details))


def cached_weights(weights: Weights) -> Path | None:
    """The file in the cache of Hugging Face's own tools; None if it is not there."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    found = try_to_load_from_cache(
        weights.repo, weights.file, revision=weights.revision
    )
    return Path(found) if isinstance(found, str) else None


def _tree_problem(folder: Path, digest: str) -> tuple[str, ...] | None:
    """Why a tree is not the one of this digest; None if it is."""
    try:
        actual = tree_digest(folder)
    except UnsafeTree as error:
        return error.problems
    if actual == digest:
        return None
    return (f"expected {digest}", f"found    {actual}")


def _told(
    said: Receipt | LockedOperator, manifest: Manifest, digest: str
) -> Iterator[tuple[str, Any, Any]]:
    """What a receipt or a lock repeats of a manifest: the key, its words, the truth."""
    yield "name", str(said.name), str(manifest.name)
    yield "version", str(said.version), str(manifest.version)
    yield "packages", sorted(said.packages), sorted(map(str, manifest.packages))
    if isinstance(said, Receipt):
        found = sorted({str(each.name) for each in manifest.dependencies})
        yield "dependencies", sorted(map(str, said.dependencies)), found
        return
    found = sorted({*map(str, manifest.dependencies)})
    yield "requires", sorted(map(str, said.requires)), found
    needed = (str(said.requires_python), str(manifest.requires_python))
    yield ("requires-python", *needed)
    yield "manifest", said.manifest, digest
    yield "weights", ", ".join(foreign_weights(said, manifest)), ""
