"""Plan, which changes nothing; then apply: trees, packages, and receipts last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from hub_client.admission import admit, with_signed_trees
from hub_client.candidate import describe
from hub_client.install_plan import InstallPlan, Target
from hub_client.packages import (
    PackageChangeRefused,
    PackagePlan,
    PinnedPackage,
    open_installer,
    planned,
    unmet,
)
from hub_client.sources import BUNDLED, MANIFEST_FILE
from hub_client.sources.bundled import BundledSource
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from packaging.requirements import Requirement as PackageRequirement

    from hub_client.candidate import Candidate
    from hub_client.config import HubConfig
    from hub_client.environment import Environment
    from hub_client.installed import InstalledOperator
    from hub_client.lockfile import LockedOperator, Lockfile
    from hub_client.packages import PackageInstaller
    from hub_client.receipt import Receipt
    from hub_client.resolver import Resolution
    from hub_client.signatures import Signature
    from hub_client.sources.router import SourceRouter
    from hub_client.store import Store
    from plugin_spec.names import OperatorName
    from plugin_spec.requirement import Requirement


class StillNeeded(HubError):
    """Another installed operator needs what would go or change."""


class NotInstalled(HubError, LookupError):
    """An operator that should go is not here."""


class SaidOtherwise(HubError):
    """An operator's files say of it what a lock, or an index, does not."""


class OtherPython(HubError):
    """A lock is not for the Python of an environment."""


class PlanOvertaken(HubError):
    """Another installation changed what a plan was made for."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that an install is about to do, to show."""

    kind: Literal["wait", "fetch", "packages", "receipt"]
    subject: str


@dataclass(frozen=True, slots=True)
class Installer:
    """Brings an environment to what requirements, or a lock, ask for."""

    environment: Environment
    store: Store
    router: SourceRouter
    config: HubConfig
    directory: Path | None = None
    """What relative sources start from; the current folder if not given."""
    trust_all: bool = False
    """Whether the user trusts, this once, whatever is planned."""
    on_trust: Callable[[Candidate | LockedOperator], object] = lambda _: None
    """Told each operator that is trusted this once, before it is fetched."""
    warn: Callable[[str], object] = lambda _: None
    """Told each version that is passed over, as its manifest does not read, and each
    that was yanked."""
    sdists: Collection[str] = ()
    """Python packages that may be built from source."""
    live: bool = False
    """Whether uv may draw its progress on the terminal."""
    wheels: Path | None = None
    """The one folder that Python packages come from; None to ask the registry."""

    def plan(
        self,
        requirements: Sequence[Requirement],
        *,
        prerelease: bool = False,
        allow_changes: bool = False,
        requested: bool = True,
    ) -> InstallPlan:
        """Plan to add operators; those that are installed and will do are kept.

        :param allow_changes: whether installed Python packages may change.
        :raises ResolutionConflict: if no versions will do.
        :raises UntrustedPublisher: before any of its files is fetched.
        :raises PackageConflict: naming the operators that asked.
        :raises PackageChangeRefused: if it takes a change that is not allowed.
        """
        if here := self._satisfying(requirements, requested=requested):
            return InstallPlan(keep=here)
        receipts = {each.name: each for each in self.environment.receipts()}
        resolution = self._resolved(
            requirements, locked=receipts, prerelease=prerelease
        )
        candidates = self._admitted(resolution.candidates)
        roots = {root.name for root in requirements} if requested else set()
        targets = [
            Target.from_candidate(
                each,
                requested=each.name in roots
                or (each.name in receipts and receipts[each.name].requested),
            )
            for each in candidates
        ]
        self._check_dependents(targets, receipts.values())
        requests = self._requests(targets, receipts.values())
        packages = self._installer.plan(requests, self.environment, sdists=self.sdists)
        if packages.guarded and not allow_changes:
            raise PackageChangeRefused(packages.guarded, requests)
        return self._planned(targets, packages)

    def plan_sync(
        self, lock: Lockfile, *, roots: Iterable[OperatorName] = (), exact: bool = True
    ) -> InstallPlan:
        """Plan to have what a lock pins; asks no source for what the store has.

        :param roots: what the project itself asks for.
        :param exact: whether operators that the lock does not pin go.
        :raises OtherPython: if the lock is not for the environment's interpreter.
        """
        self._check_python(lock, lock.operators)
        asked, known = set(roots), {each.name for each in lock.operators}
        targets = [
            Target.from_locked(each, requested=each.name in asked)
            for each in lock.closure(known)
        ]
        # The lock is what the user wants: it may change what is installed.
        packages = self._locked_packages(lock)
        gone = (each for each in self.environment.receipts() if each.name not in known)
        plan = self._planned(targets, packages, remove=tuple(gone) if exact else ())
        # A package that comes may be what one of those that are here asks for.
        here = () if packages.pins else {each.name for each in plan.keep}
        self._check_trust(lock.operators, here=here)
        return plan

    def plan_pinned(
        self, requirements: Sequence[Requirement], lock: Lockfile
    ) -> InstallPlan:
        """Plan to have what a lock pins for some operators, and no more of it.

        Installed Python packages are not changed for it.

        :raises OtherPython: if the lock is not for the environment's interpreter.
        :raises StillNeeded: if an operator that stays cannot use what is pinned.
        :raises PackageChangeRefused: if a package is pinned otherwise.
        """
        needed = lock.closure(requirement.name for requirement in requirements)
        self._check_python(lock, needed)
        self._check_trust(needed)
        receipts = {each.name: each for each in self.environment.receipts()}
        targets = [
            Target.from_locked(
                each, requested=each.name in receipts and receipts[each.name].requested
            )
            for each in needed
        ]
        self._check_dependents(targets, receipts.values())
        requests = self._requests(targets, ())
        packages = PackagePlan()
        if unmet(requests, self.environment):
            packages = self._locked_packages(lock)
        if packages.guarded:
            raise PackageChangeRefused(packages.guarded, requests)
        return self._planned(targets, packages)

    def plan_uninstall(self, names: Sequence[OperatorName]) -> InstallPlan:
        """Plan to remove operators; Python packages stay.

        :raises NotInstalled: if one is not here.
        :raises StillNeeded: if one that stays needs it.
        """
        receipts = {each.name: each for each in self.environment.receipts()}
        for name in names:
            if name not in receipts:
                raise NotInstalled(
                    f"`{name}` is not installed", hint="`hub list` shows what is"
                )
        for each in receipts.values():
            needed = set(each.dependencies) & set(names)
            if each.name not in names and needed:
                raise StillNeeded(
                    f"{each.name} {each.version} needs `{min(needed)}`",
                    hint=f"Remove both: `hub uninstall {min(needed)} {each.name}`",
                )
        return InstallPlan(
            remove=tuple(receipts[name] for name in dict.fromkeys(names))
        )

    def apply(
        self, plan: InstallPlan, *, on_event: Callable[[Event], object] = lambda _: None
    ) -> None:
        """Do it. Killed at any point, the next run finds all or nothing of each.

        :raises DigestMismatch: if files, fetched or stored, are not the pinned ones.
        :raises PlanOvertaken: if another process has done something else meanwhile.
        """
        prefix = self.environment.prefix
        if plan.is_empty:
            if plan.keep:
                self.store.keep_for(environment=prefix)
            return
        with (
            self.environment.lock(lambda: on_event(Event("wait", str(prefix)))),
            self.store.in_use(),
        ):
            self._check_overtaken(plan)
            # Before the first tree: from then on `hub cache prune` asks its receipts.
            self.store.keep_for(
                environment=prefix, project=self.directory, warn=self.warn
            )
            trees = [self._confirmed(each, on_event) for each in plan.targets]
            if pins := plan.packages.pins:
                plural = "" if len(pins) == 1 else "s"
                on_event(Event("packages", f"{len(pins)} Python package{plural}"))
                self._installer.install(pins, self.environment, sdists=self.sdists)
            # Receipts last: one that can be read means that all before it is done.
            for target, tree in zip(plan.targets, trees, strict=True):
                on_event(Event("receipt", str(target.name)))
                self.environment.write_receipt(target.receipt(tree))
            for receipt in plan.remove:
                self.environment.remove_receipt(receipt.name)

    def keep_for_others(self, name: OperatorName) -> None:
        """Note of what is installed that only other operators need it now."""
        with self.environment.lock():
            receipt = self.environment.receipt(name)
            if receipt is not None and receipt.requested:
                self.environment.write_receipt(replace(receipt, requested=False))

    def fetch_beside(self, requirement: Requirement) -> InstalledOperator:
        """Have a version in the store, whatever is installed; no receipt is written.

        It is for comparing versions. What it takes of Python packages must be here.

        :raises ResolutionConflict: if no version will do.
        :raises UntrustedPublisher: before any of its files is fetched.
        :raises NotInstalled: naming the Python packages that are missing.
        """
        from hub_client.installed import open_installed  # noqa: PLC0415  (it uses us)

        resolution = self._resolved([requirement])
        (chosen,) = (
            each for each in resolution.candidates if each.name == requirement.name
        )
        (chosen,) = self._admitted([chosen])
        target = Target.from_candidate(chosen, requested=False)
        missing = unmet(self._requests([target], ()), self.environment)
        if missing:
            packages = ", ".join(f"`{each}`" for each in missing[target.name])
            raise NotInstalled(
                f"{target.name} {target.release.version} needs {packages}, which is "
                "not installed",
                hint="Install it first: nothing is installed for a comparison",
            )
        with self.store.in_use():
            tree = self._confirmed(target, lambda _: None)
            return open_installed(target.receipt(tree), self.store)

    def _resolved(
        self,
        requirements: Sequence[Requirement],
        *,
        locked: Mapping[OperatorName, Receipt] | None = None,
        prerelease: bool = False,
    ) -> Resolution:
        from hub_client.resolver import resolve  # noqa: PLC0415  (slow)

        resolution = resolve(
            requirements,
            self.router,
            python=self.environment.python_version,
            locked=locked,
            prerelease=prerelease,
        )
        for sentence in (*resolution.passed_over, *resolution.withdrawn):
            self.warn(sentence)
        return resolution

    def _check_overtaken(self, plan: InstallPlan) -> None:
        receipts = {each.name: each for each in self.environment.receipts()}
        packages = self.environment.installed_packages()
        if found := tuple(plan.overtaken_by(receipts, packages)):
            lines = "".join(f"\n  {each}" for each in found)
            raise PlanOvertaken(
                "Another installation was faster, and nothing was done; "
                f"what is there now is not what this one was planned for{lines}",
                hint="Run the command again",
            )

    @property
    def _installer(self) -> PackageInstaller:
        kind, offline = self.config.installer, self.config.offline
        return open_installer(kind, offline=offline, live=self.live, wheels=self.wheels)

    def _confirmed(self, target: Target, on_event: Callable[[Event], object]) -> str:
        """As ``_stored``; what an index or a lock said of the tree is true.

        :raises SaidOtherwise: naming the operator, if it is not.
        """
        from plugin_spec.manifest import Manifest  # noqa: PLC0415  (slow)

        tree = self._stored(target, on_event)
        folder = self.store.path(tree)
        self.router.confirm(target, folder)
        manifest = Manifest.from_yaml((folder / MANIFEST_FILE).read_bytes())
        for key, said, found in target.differences(manifest):
            raise SaidOtherwise(
                f"{target.name} {target.release.version} from `{target.source}` is not "
                f"what was said of it: its `{MANIFEST_FILE}` has other {key}\n"
                f"  said  {said}\n  found {found}",
                hint="See who changed the lock; `hub lock --upgrade` writes it anew",
            )
        return tree

    def _stored(self, target: Target, on_event: Callable[[Event], object]) -> str:
        """The digest of the target's tree, which is in the store then."""
        source = self.router.origin(target, self.directory)
        if target.tree is not None and self._is_stored(
            target.name, target.tree, source
        ):
            self.store.verify(target.tree)  # it may have been changed since it came
            return target.tree
        if target.tree is None or not self.store.has(target.tree):
            on_event(Event("fetch", f"{target.name} {target.release.version}"))
        return self.store.add(
            lambda folder: self.router.fetch(target, folder),
            expected=target.tree,
            source=source,
            what=describe(target),
        )

    def _is_stored(self, name: OperatorName, tree: str, source: str | None) -> bool:
        """Whether the tree is in the store, and is what ``source`` gives, if any."""
        if source != BUNDLED:
            return self.store.has(tree, source=source)
        # What ships with the hub is at hand to compare: no note has to be believed.
        return self.store.has(tree) and BundledSource().holds(name, tree)

    def _satisfying(
        self, requirements: Sequence[Requirement], *, requested: bool
    ) -> tuple[Receipt, ...]:
        """The receipts that already answer every requirement, or none at all.

        Reads receipts, asks whether folders exist, and starts nothing.
        """
        found: list[Receipt] = []
        for requirement in requirements:
            receipt = self.environment.receipt(requirement.name)
            if (
                receipt is None
                or not requirement.accepts(receipt.version)
                or (requested and not receipt.requested)
                or not self._is_whole(receipt, {receipt.name})
            ):
                return ()
            found.append(receipt)
        return tuple(found)

    def _is_current(self, receipt: Receipt) -> bool:
        """Whether the source is still the same, and its folder if it is one."""
        # Who works on an operator in a folder wants what the folder holds now, and a
        # newer release of this package may bundle other files.
        return self.router.holds(receipt.name, receipt.revision, receipt.source)

    def _is_whole(self, receipt: Receipt, seen: set[OperatorName]) -> bool:
        """Whether it, its packages and all that it needs are here, as they are now."""
        if not self.store.has(receipt.tree) or not self._is_current(receipt):
            return False
        if unmet({receipt.name: _parsed(receipt.packages)}, self.environment):
            return False
        for name in set(receipt.dependencies) - seen:
            seen.add(name)
            needed = self.environment.receipt(name)
            if needed is None or not self._is_whole(needed, seen):
                return False
        return True

    def _check_python(
        self, lock: Lockfile, operators: Iterable[LockedOperator]
    ) -> None:
        needs = {"The project": lock.requires_python} | {
            f"{each.name} {each.version}": each.requires_python for each in operators
        }
        version = self.environment.python_version
        problems = [
            f"\n  {name} requires Python `{needed}`"
            for name, needed in needs.items()
            if not needed.contains(version, prereleases=True)
        ]
        if problems:
            raise OtherPython(
                f"`hub.lock` is not for Python {version}{''.join(problems)}",
                hint="Choose another environment with `--python`",
            )

    def _admitted(self, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """The candidates that may come, and only with the files that were signed."""
        return with_signed_trees(candidates, self._check_trust(candidates))

    def _check_trust(
        self,
        operators: Sequence[Candidate | LockedOperator],
        *,
        here: Collection[OperatorName] = (),
    ) -> Mapping[OperatorName, Signature]:
        once = self.on_trust if self.trust_all else None
        return admit(
            operators,
            self.config,
            router=self.router,
            directory=self.directory,
            once=once,
            here=here,
            warn=self.warn,
        )

    def _check_dependents(
        self, targets: Sequence[Target], receipts: Collection[Receipt]
    ) -> None:
        """Refuse versions that operators which stay as they are cannot use."""
        coming = {each.name: each.release.version for each in targets}
        staying = [each for each in receipts if each.name not in coming]
        for receipt in staying:
            for requirement in self._needs(receipt):
                version = coming.get(requirement.name)
                if version is not None and not requirement.accepts(version):
                    raise StillNeeded(
                        f"{receipt.name} {receipt.version} needs `{requirement}`, "
                        f"and {requirement.name} would become {version}",
                        hint=f"Install `{receipt.name}` together with it, "
                        "or use an environment of its own",
                    )

    def _needs(self, receipt: Receipt) -> tuple[Requirement, ...]:
        from hub_client.installed import find_installed  # noqa: PLC0415  (it uses us)

        installed = find_installed(receipt.name, self.environment, self.store)
        return installed.manifest.dependencies if installed else ()

    def _requests(
        self, targets: Sequence[Target], receipts: Iterable[Receipt]
    ) -> dict[OperatorName, list[PackageRequirement]]:
        """What every operator asks for that is here or comes."""
        requests = {each.name: _parsed(each.packages) for each in receipts}
        requests |= {each.name: _parsed(each.packages) for each in targets}
        return requests

    def _locked_packages(self, lock: Lockfile) -> PackagePlan:
        pins = (
            PinnedPackage(each.name, each.version, each.hashes)
            for each in lock.packages
            if each.is_for(self.environment.markers)
        )
        return planned(pins, self.environment.installed_packages())

    def _planned(
        self,
        targets: Iterable[Target],
        packages: PackagePlan,
        *,
        remove: tuple[Receipt, ...] = (),
    ) -> InstallPlan:
        install, keep, replaced = [], [], []
        for target in targets:
            receipt = self.environment.receipt(target.name)
            if receipt and target.is_installed_as(receipt) and self._has(receipt):
                keep.append(receipt)
                continue
            install.append(target)
            replaced += [receipt] if receipt else []
        return InstallPlan(
            targets=tuple(install),
            keep=tuple(keep),
            remove=remove,
            replaced=tuple(replaced),
            packages=packages,
        )

    def _has(self, receipt: Receipt) -> bool:
        return self.store.has(receipt.tree)


def _parsed(packages: Iterable[str]) -> list[PackageRequirement]:
    from packaging.requirements import Requirement  # noqa: PLC0415  (as it is used)

    return [Requirement(text) for text in packages]
