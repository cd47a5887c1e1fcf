"""Telling an index of an operator: one commit that changes one file, pushed."""

from __future__ import annotations

import hashlib
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hub_client.git_url import parse_git_url
from hub_client.index.build import IndexFolder
from hub_client.index.entry import IndexEntry, entry_path
from hub_client.index.listing import Listed, fill
from hub_client.publisher.remote import PushRefused, Remote
from hub_client.publisher.scratch_repository import ScratchRepository
from hub_client.publisher.workspace import open_workspace
from hub_client.sources import GIT, INDEX
from hub_client.sources.router import open_source
from hub_client.sources.rules import InvalidSource
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from pathlib import Path

    from hub_client.index.build import Change
    from plugin_spec.names import OperatorName

_ATTEMPTS: Final = 12
"""How often a push is made anew that another one was faster than."""
_PAUSES: Final = 0.2, 2.0
"""Seconds before the second attempt at most, and before any: each waits twice as long,
and for some part of it, so that those who are at it do not meet again and again."""
_KEEPER: Final = (
    "If only its keeper may write there, `--propose` pushes a branch that a pull "
    "request can take"
)
_RECORDED: Final = frozenset({"add", "yank", "restore", "move"})


class NotListed(HubError, LookupError):
    """An index does not know an operator, so its source has to be said."""


@dataclass(frozen=True, slots=True)
class IndexUpdate:
    """What became of an entry, and where that was pushed."""

    index: str
    branch: str
    """Of the index; a proposal has a branch of its own."""
    is_proposal: bool
    commit: str | None
    """None if there was nothing to push."""
    changes: tuple[Change, ...]

    def to_dict(self) -> dict[str, Any]:
        """The update as JSON values."""
        return {
            "index": self.index,
            "branch": self.branch,
            "commit": self.commit,
            "changes": [each.to_dict() for each in self.changes],
        }


class IndexTarget:
    """One index, and what may be pushed to it."""

    def __init__(self, spec: str, *, cache_dir: Path) -> None:
        if not spec.startswith(INDEX):
            raise InvalidSource(
                f"expected an index, got {spec!r}", hint="Write `index+URL`"
            )
        self._url = parse_git_url(spec.removeprefix(INDEX))
        self._cache_dir = cache_dir

    @property
    def spec(self) -> str:
        """The index as configuration writes it."""
        return f"{INDEX}{self._url}"

    def check(self, source: str) -> None:
        """Refuse what could not be told to the index, before anything is published.

        :raises RepositoryUnreachable: if the index does not answer.
        :raises InvalidSource: if nobody but this machine knows ``source``.
        """
        self._check_reach(source)
        with open_workspace(self._cache_dir) as folder:
            self._remote(folder).branches()

    def update(
        self, name: OperatorName, source: str | None = None, *, propose: bool = False
    ) -> IndexUpdate:
        """List the versions of an operator that its source has, and push that.

        :param source: where it is; where the index says, if not given.
        :param propose: push to a new branch, for the index's keeper to take.
        :raises InvalidSource: if an index cannot have where it is.
        :raises NotListed: if neither says where it is.
        :raises NothingListed: if it has no version that can be listed.
        :raises VersionChanged: if an indexed version is another one at its source now.
        :raises PushRefused: and the index is as it was.
        """
        given = None if source is None else fill(name, source)
        if given is not None:
            self._check_reach(given.source)
        with open_workspace(self._cache_dir) as folder:
            remote = self._remote(folder)
            for number in range(_ATTEMPTS):
                attempt = _Attempt.start(remote, name, folder / "files")
                listed = given or attempt.listed()
                # An index could have its keeper read a path, and push what is there.
                self._check_reach(listed.source)
                changes = attempt.change(listed, cache_dir=self._cache_dir)
                try:
                    branch, commit = attempt.push(changes, propose=propose)
                except PushRefused as error:
                    refused = error
                    if attempt.is_late():
                        _pause(number)
                        continue
                    if not propose:
                        refused.hint = _KEEPER
                    break
                is_proposal = branch != attempt.branch
                return IndexUpdate(self.spec, branch, is_proposal, commit, changes)
        raise refused

    def _check_reach(self, source: str) -> None:
        if source.startswith(f"{GIT}file:") and self._url.scheme != "file":
            raise InvalidSource(
                f"`{source}` is a path of this machine, and `{self.spec}` is not",
                hint="Publish to an address that the index's users can reach",
            )

    def _remote(self, folder: Path) -> Remote:
        return Remote(self._url, ScratchRepository.create(folder / "git"))


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One try: from what an index has now to a push that follows it."""

    remote: Remote
    name: OperatorName
    folder: IndexFolder
    """Holds the one entry, and nothing else."""
    branch: str
    branches: frozenset[str]
    tip: str | None
    before: bytes | None

    @classmethod
    def start(cls, remote: Remote, name: OperatorName, folder: Path) -> _Attempt:
        branch, branches = remote.branches()
        tip = remote.tip(branch, "--depth=1") if branch in branches else None
        before = remote.scratch.read(tip, entry_path(name)) if tip else None
        file = folder / entry_path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        if before is not None:
            file.write_bytes(before)
        return cls(remote, name, IndexFolder(folder), branch, branches, tip, before)

    def change(self, listed: Listed, *, cache_dir: Path) -> tuple[Change, ...]:
        """Bring the entry up to date, in the folder."""
        opened = open_source(listed.source, cache_dir=cache_dir, trusted=True)
        return self.folder.update(listed, opened)

    def push(
        self, changes: tuple[Change, ...], *, propose: bool
    ) -> tuple[str, str | None]:
        """Push the entry if it changed, and say where to."""
        path = entry_path(self.name)
        file = self.folder.path / path
        after = file.read_bytes()
        recorded = [each for each in changes if each.kind in _RECORDED]
        if after == self.before:
            return self.branch, None
        branch = self.branch
        if propose:
            newest = max(each.version for each in recorded)
            digest = hashlib.sha256(after).hexdigest()[:8]
            branch = f"hub/{self.name}-{newest}-{digest}"
            if branch in self.branches:
                return branch, None
        scratch = self.remote.scratch
        words = ", ".join(f"{each.kind} {each.version}" for each in recorded)
        tree = scratch.tree_with(self.tip, path, after)
        commit = scratch.commit(tree, f"{self.name}: {words}", parent=self.tip)
        self.remote.push(f"{commit}:refs/heads/{branch}")
        return branch, commit

    def is_late(self) -> bool:
        """Whether the index has another commit by now."""
        branch, branches = self.remote.branches()
        now = self.remote.tip(branch, "--depth=1") if branch in branches else None
        return now != self.tip

    def listed(self) -> Listed:
        """Where the index itself says that the operator is.

        :raises NotListed: if it does not.
        """
        if self.before is None:
            raise NotListed(
                f"`index+{self.remote.url}` does not list {self.name}",
                hint="Say where it is with `--source`",
            )
        entry = IndexEntry.parse(self.name, self.before, where=entry_path(self.name))
        return Listed(self.name, entry.versions[-1].source)


def _pause(number: int) -> None:
    first, longest = _PAUSES
    most = min(longest, first * 2**number)
    time.sleep(random.uniform(0, most))  # noqa: S311  (no secret)
