"""Operators of one's own whose folders are others than a lock says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hub_client.sources import DIRECTORY
from hub_client.sources.directory import DirectorySource, FolderUnreadable
from hub_client.trust import locate
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub_client.lockfile import LockedOperator, Lockfile
    from hub_client.project import Project


def edited_operators(project: Project, lock: Lockfile) -> Iterator[LockedOperator]:
    """Each of the lock's operators whose ``dir:`` folder has other files by now.

    A folder that is not there says nothing: the operator may be in the store.
    """
    for operator in lock.operators:
        source = locate(operator.source, project.path.parent)
        if source.startswith(DIRECTORY) and _is_edited(operator, source):
            yield operator


def _is_edited(operator: LockedOperator, source: str) -> bool:
    folder = DirectorySource(Path(source.removeprefix(DIRECTORY)))
    try:
        revisions = {each.revision for each in folder.versions(operator.name)}
    except FolderUnreadable:
        return False
    except HubError:
        return True  # what is wrong with it is told by whoever reads it
    return bool(revisions) and operator.revision not in revisions
