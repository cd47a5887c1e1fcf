"""What an install will do: a value that can be printed before anything is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

from hub_client.packages import PackagePlan
from hub_client.receipt import Receipt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from packaging.version import Version

    from hub_client.candidate import Candidate, Release
    from hub_client.lockfile import LockedOperator
    from plugin_spec.manifest import Manifest
    from plugin_spec.names import OperatorName


@dataclass(frozen=True, slots=True)
class Target:
    """One operator as it is to be installed."""

    name: OperatorName
    release: Release
    source: str
    tree: str | None
    """Digest that its files must have; None if only its commit is known."""
    requested: bool
    dependencies: tuple[OperatorName, ...]
    packages: tuple[str, ...]

    @classmethod
    def from_candidate(cls, candidate: Candidate, *, requested: bool) -> Self:
        """Take what resolving chose."""
        manifest, revision = candidate.manifest, candidate.release.revision
        return cls(
            name=candidate.name,
            release=candidate.release,
            source=candidate.source,
            # The revision of a folder is its digest; that of a repository, a commit.
            tree=revision if revision.startswith("sha256:") else candidate.release.tree,
            requested=requested,
            dependencies=tuple(sorted({each.name for each in manifest.dependencies})),
            packages=tuple(sorted(map(str, manifest.packages))),
        )

    @classmethod
    def from_locked(cls, locked: LockedOperator, *, requested: bool) -> Self:
        """Take what a lock pins."""
        return cls(
            name=locked.name,
            release=locked.release,
            source=locked.source,
            tree=locked.tree,
            requested=requested,
            dependencies=tuple(sorted({each.name for each in locked.requires})),
            packages=locked.packages,
        )

    def differences(self, manifest: Manifest) -> Iterator[tuple[str, str, str]]:
        """What a manifest says otherwise: in which respect, here, and there."""
        names = {each.name for each in manifest.dependencies}
        for key, said, found in (
            ("name", [self.name], [manifest.name]),
            ("version", [self.release.version], [manifest.version]),
            ("operators", self.dependencies, names),
            ("packages", self.packages, manifest.packages),
        ):
            here, there = (", ".join(sorted(map(str, each))) for each in (said, found))
            if here != there:
                yield key, here or "none", there or "none"

    def receipt(self, tree: str) -> Receipt:
        """The receipt of this target, once its files are in the store."""
        return Receipt(
            name=self.name,
            version=self.release.version,
            source=self.source,
            ref=self.release.ref,
            revision=self.release.revision,
            tree=tree,
            requested=self.requested,
            dependencies=self.dependencies,
            packages=self.packages,
        )

    def is_installed_as(self, receipt: Receipt) -> bool:
        """Whether ``receipt`` says just this."""
        return (
            self.tree in {None, receipt.tree} and self.receipt(receipt.tree) == receipt
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One operator of a plan."""

    kind: Literal["add", "change", "keep", "remove"]
    name: OperatorName
    version: Version
    installed: Version | None
    """The version that is there now; None if there is none."""
    source: str

    def to_dict(self) -> dict[str, Any]:
        """The step as JSON values."""
        return {
            "action": self.kind,
            "name": str(self.name),
            "version": str(self.version),
            "installed": None if self.installed is None else str(self.installed),
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """Operators and Python packages that would come, change or go."""

    targets: tuple[Target, ...] = ()
    """To be installed, dependencies first."""
    keep: tuple[Receipt, ...] = ()
    """Asked for and here already."""
    remove: tuple[Receipt, ...] = ()
    replaced: tuple[Receipt, ...] = ()
    """What is installed now under a target's name."""
    packages: PackagePlan = field(default_factory=PackagePlan)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.targets or self.remove or self.packages.pins)

    def overtaken_by(
        self, receipts: Mapping[OperatorName, Receipt], packages: Mapping[str, str]
    ) -> Iterator[str]:
        """What became something else since this was planned, neither old nor new.

        :param receipts: of the operators that are installed now, by name.
        :param packages: the Python packages that are installed now.
        """
        before = {each.name: each for each in (*self.replaced, *self.keep)}
        for name in (*(each.name for each in self.targets), *before):
            now, old = receipts.get(name), before.get(name)
            planned = next((each for each in self.targets if each.name == name), None)
            if now != old and not (now and planned and planned.is_installed_as(now)):
                yield f"{name} {now.version}" if now else f"{name}, removed"
        changed = {each.pin.name: each.installed for each in self.packages.change}
        for pin in self.packages.pins:
            version = packages.get(pin.name)
            if version not in {changed.get(pin.name), None, pin.version}:
                yield f"{pin.name} {version}"

    @property
    def steps(self) -> tuple[Step, ...]:
        """What happens to each operator, by name."""
        old = {receipt.name: receipt.version for receipt in self.replaced}
        steps = [
            Step(
                "change" if each.name in old else "add",
                each.name,
                each.release.version,
                old.get(each.name),
                each.source,
            )
            for each in self.targets
        ]
        for kind, receipts in (("keep", self.keep), ("remove", self.remove)):
            steps += [
                Step(kind, each.name, each.version, each.version, each.source)  # type: ignore[arg-type]  # the loop's own words
                for each in receipts
            ]
        return tuple(sorted(steps, key=lambda step: step.name))

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON values."""
        return {
            "operators": [step.to_dict() for step in self.steps],
            "packages": [
                {
                    "action": "change" if installed else "add",
                    "name": pin.name,
                    "version": pin.version,
                    "installed": installed,
                }
                for pin, installed in (
                    *((pin, None) for pin in self.packages.add),
                    *((each.pin, each.installed) for each in self.packages.change),
                )
            ],
        }
