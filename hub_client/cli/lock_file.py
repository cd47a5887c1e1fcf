"""A project's lock as it is on disk, and whether it is of that project as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hub_client.edited import edited_operators
from hub_client.lockfile import Lockfile, read_lock
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub_client.lockfile import LockedOperator
    from hub_client.lockfile.changes import LockChange
    from hub_client.project import Project


class StaleLock(HubError):
    """A project changed since it was locked."""

    def __init__(self, project: Project, changes: Iterable[str]) -> None:
        lines = "".join(f"\n  {change}" for change in changes)
        super().__init__(
            f"`{project.lock_path.name}` does not match `{project.path.name}`{lines}",
            hint="Run `hub lock`",
        )


class NotUpgraded(HubError):
    """A lock does not have the newest versions that fit."""

    def __init__(
        self, project: Project, changes: Iterable[LockChange], names: Iterable[str]
    ) -> None:
        lines = "".join(f"\n  {change}" for change in changes)
        super().__init__(
            f"`{project.lock_path.name}` does not pin the newest that fits{lines}",
            hint=f"Run `{' '.join(['hub lock --upgrade', *names])}`",
        )


class NoProject(HubError):
    """A command is about a project, and there is none."""

    def __init__(self) -> None:
        super().__init__(
            f"There is no `hub.toml`, and no `pyproject.toml` with `[tool.hub]`, in "
            f"`{Path.cwd()}` or above",
            hint="`hub add NAME` makes one",
        )


def lock_is_written(project: Project, lock: Lockfile) -> bool:
    """Whether the project's lock holds these very bytes."""
    return lock_content(project.lock_path) == lock.dumps().encode()


def current_lock(project: Project) -> Lockfile:
    """The lock of a project as it is now.

    :raises StaleLock: saying what changed since.
    """
    lock = Lockfile.load(project.lock_path)
    if project.is_stale(lock):
        raise StaleLock(project, _differences(project, lock))
    if edited := [*edited_operators(project, lock)]:
        raise StaleLock(project, map(said_edited, edited))
    return lock


def lock_content(path: Path) -> bytes | None:
    """The bytes of a lock's file; None if there is none."""
    return read_lock(path) if path.exists() else None


def unmerged(path: Path) -> Lockfile | None:
    """What both sides of a merge pin; None for a file that is damaged."""
    from hub_client.lockfile.merging import read_both_sides  # noqa: PLC0415  (seldom)

    return read_both_sides((lock_content(path) or b"").decode(errors="replace"))


def said_edited(operator: LockedOperator) -> str:
    """That an operator is not what was locked."""
    return f"{operator.name} {operator.version} was edited in `{operator.source}`"


def _differences(project: Project, lock: Lockfile) -> list[str]:
    locked = {each.name: each for each in lock.operators}
    missing = [
        f"`{each}` is asked for, and "
        + (
            f"{locked[each.name].version} is locked"
            if each.name in locked
            else "is not locked"
        )
        for each in project.operators
        if each.name not in locked or not each.accepts(locked[each.name].version)
    ]
    return missing or [
        *(f"new: `{line}`" for line in sorted({*project.inputs} - {*lock.inputs})),
        *(f"gone: `{line}`" for line in sorted({*lock.inputs} - {*project.inputs})),
    ]
