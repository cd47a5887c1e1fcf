"""A repository that its publisher writes to, as one scratch repository reaches it."""

from __future__ import annotations

import errno
import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub_client.git_commands import GitFailed
from hub_client.sources.git import RepositoryUnreachable
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub_client.git_url import GitUrl
    from hub_client.publisher.scratch_repository import ScratchRepository

_HEADS: Final = "refs/heads/"
TIP: Final = "refs/hub/tip"
"""Where what was fetched last stands."""


_ANSWERED: Final = re.compile(r"^ ! \[(remote )?rejected\]", re.MULTILINE)
"""How git tells that a ref was not taken, and not merely that it heard nothing."""
_OVERTAKEN = re.compile(
    r"\((already exists|fetch first|non-fast-forward)\)|reference already exists"
    r"|cannot lock ref .* but expected"
)
_WAITS: Final = (0.3, 1.0, 3.0)
"""Seconds between tries where a lock is held: whoever is at work there is soon done."""
_LOCKED: Final = re.compile(r"Unable to create '([^']+\.lock)': File exists")
WHOLE: Final = "This clone is shallow: run `git fetch --unshallow`, and publish again"


class PushRefused(HubError):
    """A repository did not take a push, and has none of it."""


class PushUnanswered(HubError):
    """A repository may have taken a push: it does not say."""


@dataclass(frozen=True, slots=True)
class Remote:
    """One repository at an address."""

    url: GitUrl
    scratch: ScratchRepository

    def branches(self) -> tuple[str, frozenset[str]]:
        """The default branch, `main` if there is none, and those there are.

        :raises RepositoryUnreachable: if it does not answer.
        """
        try:
            listing = self.scratch.as_user("ls-remote", "--symref", "--", str(self.url))
        except GitFailed as error:
            raise self._unreachable(error) from error
        pairs = _refs(listing)
        self.scratch.hash_like(listing.rpartition("\n")[2].partition("\t")[0])
        branches = {
            ref.removeprefix(_HEADS): commit
            for commit, ref in pairs
            if ref.startswith(_HEADS)
        }
        shown = [named for named, ref in pairs if ref == "HEAD"]
        link = f"ref: {_HEADS}"
        told = [each.removeprefix(link) for each in shown if each.startswith(link)]
        # Some tell its commit alone, as where no branch is checked out.
        there = [branch for branch, commit in branches.items() if commit in shown]
        usual = [branch for branch in ("main", "master") if branch in there]
        return (*told, *usual, *there, "main")[0], frozenset(branches)

    def refs(self, pattern: str) -> list[str]:
        """The full names of the refs that a pattern matches, or a full name itself.

        :raises RepositoryUnreachable: if it does not answer.
        """
        try:
            listing = self.scratch.as_user("ls-remote", "--", str(self.url), pattern)
        except GitFailed as error:
            raise self._unreachable(error) from error
        return [ref for _, ref in _refs(listing) if ref]

    def tip(self, branch: str, *options: str) -> str:
        """Fetch a branch, and give its commit."""
        self.fetch(f"+refs/heads/{branch}:{TIP}", *options)
        return self.scratch.git("rev-parse", "--verify", TIP)

    def fetch(self, refspec: str, *options: str) -> None:
        """Fetch one ref.

        :raises RepositoryUnreachable: if it cannot be had.
        """
        words = ("--quiet", "--no-tags", "--no-write-fetch-head", *options)
        try:
            self.scratch.as_user("fetch", *words, "--", str(self.url), refspec)
        except GitFailed as error:
            raise self._unreachable(error) from error

    def push(self, *refspecs: str) -> None:
        """Send refs, all or none; an answer that is lost is asked for.

        :raises PushRefused: and nothing of it is there.
        :raises PushUnanswered: if nobody can tell.
        """
        for wait in (*_WAITS, None):
            try:
                self._push(*refspecs)
            except PushRefused as refusal:
                if wait is None or not _is_locked(refusal):
                    raise
                time.sleep(wait)
            else:
                return

    def _push(self, *refspecs: str) -> None:
        words = ("--quiet", "--atomic", "--no-signed", "--recurse-submodules=no")
        try:
            self.scratch.as_user("push", *words, "--", str(self.url), *refspecs)
        except GitFailed as error:
            if not _ANSWERED.search(error.stderr) and self._has_taken(refspecs, error):
                return
            raise PushRefused(
                f"`{self.url}` did not take the push, and has none of it: "
                f"{push_reason(error)}",
                hint=push_hint(error),
            ) from error

    def _has_taken(self, refspecs: Iterable[str], failure: GitFailed) -> bool:
        """Whether the refs are what a push of no answer was to make them.

        :raises PushUnanswered: if they cannot be had.
        """
        wanted = {}
        for source, _, ref in (each.partition(":") for each in refspecs):
            wanted[ref] = source and self.scratch.git("rev-parse", "--verify", source)
        try:
            listing = self.scratch.as_user("ls-remote", "--", str(self.url), *wanted)
        except GitFailed as error:
            raise PushUnanswered(
                f"`{self.url}` does not say whether it took the push: "
                f"{push_reason(failure)}",
                hint="Run this again when it answers: it sends nothing twice",
            ) from error
        found = {ref: object_id for object_id, ref in _refs(listing)}
        # It took all or none; a branch may have been moved by others, there or on.
        telling = [ref for ref in wanted if ref.startswith("refs/tags/")] or wanted
        return any(found.get(ref, "") == wanted[ref] for ref in telling)

    def _unreachable(self, error: GitFailed) -> RepositoryUnreachable:
        return RepositoryUnreachable(
            f"Cannot read `{self.url}`: {error.reason}",
            hint="Check the address, your network and that you may read it",
        )


def _refs(listing: str) -> list[tuple[str, str]]:
    """What each ref names, and the ref; a name may have other ends of lines in it."""
    lines = (line.partition("\t") for line in listing.split("\n"))
    return [(object_id, ref) for object_id, _, ref in lines]


def _is_locked(refusal: PushRefused) -> bool:
    failure = refusal.__cause__
    return isinstance(failure, GitFailed) and bool(_LOCKED.search(failure.stderr))


def push_reason(error: GitFailed) -> str:
    r"""What the server said, or else what git did.

    >>> push_reason(GitFailed("push", "remote: over quota\nerror: failed to push"))
    'over quota; failed to push'
    """
    said = [
        line.removeprefix("remote:").strip()
        for line in error.stderr.splitlines()
        if line.startswith(("remote:", " ! "))
    ]
    return "; ".join([*filter(None, said), error.reason])


def push_hint(error: GitFailed) -> str:
    """What helps: most often a right; after a kill, what git leaves to its owner.

    >>> push_hint(GitFailed("push", " ! [rejected] v1.0.0 -> v1.0.0 (already exists)"))
    'Somebody published there meanwhile: run this again'
    >>> said = "remote: error: cannot lock ref 'v1.0.0': reference already exists"
    >>> push_hint(GitFailed("push", said))
    'Somebody published there meanwhile: run this again'
    >>> said = "remote: error: cannot lock ref 'main': is at 0123 but expected 4567"
    >>> push_hint(GitFailed("push", said))
    'Somebody published there meanwhile: run this again'
    >>> push_hint(GitFailed("push", "remote: fatal: No space left on device"))
    'Make room on that disk, and run this again'
    >>> push_hint(GitFailed("push", " ! [remote rejected] shallow update not allowed"))
    'This clone is shallow: run `git fetch --unshallow`, and publish again'
    >>> said = "fatal: the receiving end does not support --atomic push"
    >>> push_hint(GitFailed("push", said))
    'Publish to another host: files and tag have to go in one step'
    >>> said = "error: Unable to create '/srv/a.git/refs/heads/main.lock': File exists."
    >>> push_hint(GitFailed("push", said))
    'If no git is at work there, a killed one left `/srv/a.git/refs/heads/main.lock...
    """
    if left := _LOCKED.search(error.stderr):
        return (
            f"If no git is at work there, a killed one left `{left[1]}`: "
            "delete it, and run this again"
        )
    if _OVERTAKEN.search(error.stderr):
        return "Somebody published there meanwhile: run this again"
    if "shallow update not allowed" in error.stderr:
        return WHOLE
    if "does not support --atomic push" in error.stderr:
        return "Publish to another host: files and tag have to go in one step"
    if os.strerror(errno.ENOSPC) in error.stderr:
        return "Make room on that disk, and run this again"
    return "Check that you may write there, and run this again"
