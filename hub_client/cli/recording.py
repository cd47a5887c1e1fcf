"""Changing what a project asks for: the file, its lock and the environment."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hub_client.atomic_file import write_atomically
from hub_client.cli.lock_file import (
    lock_content,
    lock_is_written,
    said_edited,
    unmerged,
)
from hub_client.edited import edited_operators
from hub_client.home import expanded
from hub_client.lockfile import (
    InvalidLockfile,
    Lockfile,
    NewerLockfile,
    UnmergedLockfile,
)
from hub_client.packages import PackageChangeRefused, open_locker
from hub_client.project import ProjectChanged
from plugin_spec.errors import HubError
from plugin_spec.wording import enumerated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.requirements import Requirement as PackageRequirement

    from hub_client.cli.installation import Installation
    from hub_client.project import Project
    from hub_client.receipt import Receipt
    from plugin_spec.manifest import Weights
    from plugin_spec.names import OperatorName
    from plugin_spec.requirement import Requirement


class AskedTwice(HubError):
    """One command asks for an operator in two ways."""

    def __init__(self, first: Requirement, second: Requirement) -> None:
        super().__init__(
            f"`{first.name}` is asked for twice, as `{first}` and as `{second}`",
            hint=f"Ask for it once; `,` joins conditions: `{first.name}>=1,<2`",
        )


@dataclass(frozen=True, slots=True)
class Recording:
    """Changes of a project, carried out by an installation."""

    project: Project
    """As it is on disk, or as a new one would be."""
    installation: Installation
    allow_changes: bool = False
    _lock_before: bytes | None = field(init=False, repr=False)
    """The lock's file as it was; None if there was none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_lock_before", lock_content(self.project.lock_path))

    def add(self, requirements: Sequence[Requirement], source: str | None) -> None:
        """Ask for operators, lock, and install them.

        Everything is planned before the first file is written.

        :raises AskedTwice: if one is named with two requirements.
        """
        _check_asked_once(requirements)
        project = self.project
        if source is not None:
            source = source_from(project.path.parent, source)
        for each in requirements:
            if source is not None or not _asks_for(project, each):
                project = project.with_operator(each, source)
        lock = self.locked(project)
        installer = self.installation.installer
        roots = [each.name for each in project.operators]
        plan = installer.plan_sync(lock, roots=roots, exact=False)
        if plan.packages.guarded and not self.allow_changes:
            raise PackageChangeRefused(plan.packages.guarded, _requests(lock))
        if self.installation.dry_run:
            self.installation.carry_out(plan)
            return
        self.write(project, lock)
        if plan.is_empty:
            asked = {each.name for each in requirements}
            kept = tuple(each for each in plan.keep if each.name in asked)
            plan = replace(plan, keep=kept)
        self.installation.carry_out(plan)

    def remove(self, names: Sequence[OperatorName]) -> None:
        """Ask for operators no more, lock, and uninstall what nothing else needs."""
        project = self.project
        for name in dict.fromkeys(names):
            project = project.without_operator(name)
        lock = self.locked(project)
        environment = self.installation.installer.environment
        staying = {each.name for each in lock.operators}
        leaving = {*names, *self._locked_names()} - staying
        gone = _unneeded(leaving, environment.receipts())
        plan = self.installation.installer.plan_uninstall(gone)
        if not self.installation.dry_run:
            self.write(project, lock)
        self.installation.carry_out(plan)
        self._keep(staying & {*names}, lock)

    def _keep(self, names: Iterable[OperatorName], lock: Lockfile) -> None:
        """Say of what is asked for no more who needs it; it is here for them alone."""
        installer, say = (
            self.installation.installer,
            self.installation.session.console.say,
        )
        for name in sorted(names):
            askers = [
                str(each.name)
                for each in lock.operators
                if any(asked.name == name for asked in each.requires)
            ]
            say(f"{name} stays: {enumerated(askers)} need{'s' * (not askers[1:])} it")
            if not self.installation.dry_run:
                installer.keep_for_others(name)

    def locked(
        self, project: Project, *, upgrade: bool = False, names: Iterable[str] = ()
    ) -> Lockfile:
        """The lock of a project: the one it has, if that is of this very project.

        Operators of one's own that were edited since are locked anew.

        :param upgrade: take the newest versions of ``names``, or of everything.
        :raises NotNeeded: if one of them is not locked.
        """
        from hub_client.locker import lock_project  # noqa: PLC0415  (slow)

        previous = self._previous()
        if previous and not project.is_stale(previous) and not upgrade:
            edited = [*edited_operators(project, previous)]
            if not edited:
                return previous
            for each in edited:
                self.installation.session.console.say(
                    f"{said_edited(each)}: locked anew"
                )
        from hub_client.weights import WeightsPinner  # noqa: PLC0415

        _check_sources(project)
        # Until the lock is written nobody can tell that its trees are needed.
        self.installation.session.hold_cache()
        installer = self.installation.installer
        installer.store.keep_for(project=project.path.parent, warn=installer.warn)
        config = installer.config
        silent: dict[Weights, HubError] = {}
        pinner = WeightsPinner(
            silent.setdefault,
            {each.name: each for each in previous.operators} if previous else {},
            offline=config.offline,
        )
        with self.installation.session.console.working("Locking"):
            lock = lock_project(
                project,
                router=self.installation.session.router(
                    replace(config, sources={**config.sources, **project.sources}),
                    trust_all=installer.trust_all,
                ),
                store=installer.store,
                config=config,
                installer=open_locker(offline=config.offline),
                previous=_kept(previous, names) if upgrade else previous,
                once=installer.on_trust if installer.trust_all else None,
                pinner=pinner,
                warn=self.installation.session.console.warn,
            )
        self._tell_silent(silent)
        return self._with_signers(lock, previous) if previous else lock

    def _with_signers(self, lock: Lockfile, previous: Lockfile) -> Lockfile:
        """The lock with what is known of signers, having told which ones changed."""
        from hub_client.signatures.changes import (  # noqa: PLC0415  (slow)
            keep_signers,
            signer_changes,
        )

        kept = keep_signers(lock, previous)
        for change in signer_changes(kept, previous):
            self.installation.session.console.warn(change)
        return kept

    def _tell_silent(self, silent: Mapping[Weights, HubError]) -> None:
        """Say once of which weights their server says nothing, and why."""
        for said, told in (
            ("stay as they were locked", [each for each in silent if each.sha256]),
            ("are not pinned", [each for each in silent if not each.sha256]),
        ):
            if told:
                names = ", ".join(f"`{each.repo}/{each.file}`" for each in told)
                error = silent[told[0]]
                hint = f" ({error.hint})" if error.hint else ""
                self.installation.session.console.warn(
                    f"These weights {said}: {names}\n  {error}{hint}"
                )

    def _previous(self) -> Lockfile | None:
        """The lock that is there; one that does not read is locked anew.

        What a merge left unfinished, or at odds with itself, is kept where it fits.

        :raises NewerLockfile: since anew it would be an older one.
        """
        if not self.project.lock_path.exists():
            return None
        try:
            return Lockfile.load(self.project.lock_path)
        except NewerLockfile:
            raise
        except InvalidLockfile as error:
            warn = self.installation.session.console.warn
            if both := unmerged(self.project.lock_path):
                side = "either side" if isinstance(error, UnmergedLockfile) else "it"
                warn(f"{error}\nWhat {side} pins is kept where it fits")
                return both
            warn(f"{error}\nIt is written anew")
            return None

    def _locked_names(self) -> set[OperatorName]:
        previous = self._previous()
        return {each.name for each in previous.operators} if previous else set()

    def write(self, project: Project, lock: Lockfile) -> None:
        """Write what changed, the lock last, and say so.

        :raises ProjectChanged: as ``write_lock``, before anything is written.
        """
        say = self.installation.session.console.say
        if not lock_is_written(project, lock):
            self._check_unchanged(self.project)
        before = project.path.read_bytes() if project.path.exists() else None
        if is_edited := before is None or project.text != self.project.text:
            project = project.write()
        try:
            is_locked = self.write_lock(project, lock)
        except (OSError, HubError):
            # Both change, or neither: a full disk may have room for one of them.
            if is_edited:
                _take_back(project, before)
            raise
        for path, is_written in (
            (project.path, is_edited),
            (project.lock_path, is_locked),
        ):
            if is_written:
                say(f"Wrote `{path.name}`")

    def write_lock(self, project: Project, lock: Lockfile) -> bool:
        """Write the lock of a project; whether it was another one.

        :raises ProjectChanged: if another command, or an editor, wrote the project or
            its lock since they were read.
        """
        if lock_is_written(project, lock):
            return False
        lock.write(project.lock_path, check=lambda: self._check_unchanged(project))
        return True

    def _check_unchanged(self, project: Project) -> None:
        project.check_unchanged()
        if lock_content(project.lock_path) != self._lock_before:
            raise ProjectChanged(project.lock_path)


def _take_back(project: Project, before: bytes | None) -> None:
    """Make a project's file what it was, unless that fails, or it is another's now."""
    with suppress(OSError, HubError):
        project.check_unchanged()
        if before is None:
            project.path.unlink()
        else:
            write_atomically(project.path, before, check=project.check_unchanged)


def source_from(folder: Path | None, source: str) -> str:
    """A typed source as a file in ``folder`` has to write it.

    A relative path starts at the current folder when it is typed, and at ``folder``
    when it is read; without a folder it becomes absolute.
    """
    if not source.startswith("dir:"):
        return source
    typed = expanded(source.removeprefix("dir:"))
    path = os.path.abspath(typed)  # noqa: PTH100  (Path keeps `..`)
    if folder is None or typed.is_absolute():
        return f"dir:{path}"
    return f"dir:{Path(os.path.relpath(path, folder)).as_posix()}"


def _kept(previous: Lockfile | None, names: Iterable[str]) -> Lockfile | None:
    """What an upgrade of ``names`` keeps of a lock: nothing, if none is named.

    :raises NotNeeded: for a name of no operator and of no Python package in it.
    """
    from hub_client.needs import SHOW_ALL, Needs, NotNeeded  # noqa: PLC0415  (for upgrades alone)

    lock = previous or Lockfile((), (), ())
    needs = Needs.of_lock(lock, {})
    upgraded = {name: needs.find(name) for name in names}
    if unknown := sorted(name for name, found in upgraded.items() if found is None):
        raise NotNeeded(
            f"`{unknown[0]}` is not locked{needs.like(unknown[0])}", hint=SHOW_ALL
        )
    if not upgraded:
        return None
    return replace(
        lock,
        operators=tuple(
            each for each in lock.operators if each.name not in upgraded.values()
        ),
        packages=tuple(
            each for each in lock.packages if each.name not in upgraded.values()
        ),
    )


def _check_sources(project: Project) -> None:
    """Refuse a source that gives nothing to any name.

    :raises InvalidSource: saying for which pattern it stands.
    """
    from hub_client.sources import DIRECTORY  # noqa: PLC0415  (slow)
    from hub_client.sources.router import check_spec  # noqa: PLC0415
    from hub_client.sources.rules import InvalidSource  # noqa: PLC0415

    for pattern, spec in project.sources.items():
        if spec.startswith(DIRECTORY):  # one that nothing needs may be elsewhere
            continue
        try:
            check_spec(spec)
        except HubError as error:
            message = f"sources.{pattern}: {error}"
            raise InvalidSource(message, hint=error.hint) from error


def _check_asked_once(requirements: Iterable[Requirement]) -> None:
    asked: dict[OperatorName, Requirement] = {}
    for each in requirements:
        if (first := asked.setdefault(each.name, each)) != each:
            raise AskedTwice(first, each)


def _asks_for(project: Project, requirement: Requirement) -> bool:
    """Whether the project asks for it already, in these or in narrower words."""
    return any(
        each == requirement
        or (each.name == requirement.name and not requirement.specifier)
        for each in project.operators
    )


def _unneeded(
    leaving: set[OperatorName], receipts: Sequence[Receipt]
) -> list[OperatorName]:
    """Of the installed ones that leave, those that none which stays needs."""
    here = {each.name: each for each in receipts}
    gone = leaving & set(here)
    while True:
        needed = {
            name
            for each in receipts
            if each.name not in gone
            for name in each.dependencies
        }
        if not gone & needed:
            return sorted(gone)
        gone -= needed


def _requests(lock: Lockfile) -> dict[OperatorName, list[PackageRequirement]]:
    from packaging.requirements import Requirement  # noqa: PLC0415  (for an error)

    return {
        each.name: [Requirement(text) for text in each.packages]
        for each in lock.operators
    }
