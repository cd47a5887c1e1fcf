"""What may be signed of a release, wherever it is from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, runtime_checkable

from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from hub_client.candidate import Fetchable

SIGSTORE_SIZE_LIMIT: Final = 1 << 18
"""Bytes that a sigstore bundle may have; most have some 5,000."""


NOT_FETCHED: Final = "you are offline, and it was not fetched before"


class SignatureUnfetched(HubError):
    """What may be signed of a release cannot be had; the message is the reason."""


class SignedInGit(NamedTuple):
    """Where git holds a release's commit, and perhaps its tag."""

    git_dir: Path
    commit: str
    find_tags: Callable[[], Iterator[str]]
    """Gives the id of its annotated tag as it was fetched last, and then as it is at
    the source, if that differs. Raises ``SignatureUnfetched`` if nobody can tell."""
    tree_digest: Callable[[], str | None]
    """Hashes the commit's files, as a store does; None if they are others than those
    that are here."""


class SignedRelease(NamedTuple):
    """What a source knows of who signed a release."""

    find_bundles: Callable[[], Iterator[bytes]]
    """Gives its sigstore bundle as it was fetched last, and then as it is at the
    source, if that differs. For one of more than ``SIGSTORE_SIZE_LIMIT`` bytes stand
    that many zeros and one. Raises ``SignatureUnfetched`` if nobody can tell."""
    without_bundle: str
    """Where one would be, for who finds none."""
    tree_digest: Callable[[], str]
    """Hashes its files, as a store does; for who has no digest of them yet."""
    open_git: Callable[[], AbstractContextManager[SignedInGit]] | None = None
    """Its commit, if it is of git."""


@runtime_checkable
class SigningSource(Protocol):
    """A source of a kind whose publishers can sign what they release."""

    def signed(self, wanted: Fetchable) -> SignedRelease:
        """Where its signatures are.

        :raises HubError: if its commit cannot be had.
        """
