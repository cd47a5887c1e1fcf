"""Weights that operators load: found at their servers, pinned, and brought."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_client.sources.hugging_face_client import (
    FileGone,
    HuggingFaceRepository,
    endpoint,
)
from hub_client.sources.hugging_face_transfer import LISTING_LIMIT
from hub_client.tree_digest import DigestMismatch
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from plugin_spec.manifest import Weights


class NotPinned(HubError):
    """A lock says which weights, but not which bytes."""


@dataclass(frozen=True, slots=True)
class WeightsPinner:
    """Pins weights by commit, hash and size, as their servers list them now.

    A server that does not answer is asked once: a lock does not wait for it, and says
    which weights it leaves unpinned.
    """

    on_unpinned: Callable[[Weights, HubError], object]
    offline: bool = False
    _silent: list[HubError] = field(default_factory=list)

    def pin(
        self, weights: Iterable[Weights], before: Iterable[Weights] = ()
    ) -> tuple[Weights, ...]:
        """Pin every one; what a lock pinned ``before`` stays as it was.

        A manifest's own revision and hash are kept, and the rest is asked for.
        """
        known = {_key(each): each for each in before if each.sha256}
        return tuple(known.get(_key(each)) or self._pinned(each) for each in weights)

    def _pinned(self, weights: Weights) -> Weights:
        if weights.sha256 and weights.revision and weights.size is not None:
            return weights
        try:
            return self._asked(weights)
        except HubError as error:
            self.on_unpinned(weights, error)
            return weights

    def _asked(self, weights: Weights) -> Weights:
        if self.offline:
            raise NotPinned("the network may not be used")
        if self._silent:
            raise self._silent[0]
        try:
            commit, entry = _listed(weights)
        except FileGone:
            raise
        except HubError as error:
            self._silent.append(error)
            raise
        sha256 = (
            entry.lfs.sha256
            if entry.lfs
            else _hash(_download(weights, commit, size=entry.size))
        )
        if weights.sha256 and weights.sha256.removeprefix("sha256:") != sha256:
            raise DigestMismatch(
                f"`{weights.repo}/{weights.file}`",
                expected=weights.sha256,
                actual=f"sha256:{sha256}",
            )
        return replace(weights, revision=commit, sha256=sha256, size=entry.size)


def fetch_weights(weights: Weights) -> Path:
    """Bring pinned weights into the cache of Hugging Face's own tools, and hash them.

    :raises NotPinned: if they are not pinned.
    :raises DigestMismatch: if the server gives other bytes, twice.
    """
    check_pinned(weights)
    expected = str(weights.sha256).removeprefix("sha256:")
    size = _listed(weights)[1].size if weights.size is None else weights.size
    for again in (False, True):
        path = _download(weights, str(weights.revision), size=size, again=again)
        actual = _hash(path)
        if actual == expected:
            return path
    path.resolve().unlink()
    raise DigestMismatch(
        f"`{weights.repo}/{weights.file}` at {weights.revision}",
        expected=f"sha256:{expected}",
        actual=f"sha256:{actual}",
        hint="Its server gives other weights than it did when they were locked",
    )


def check_pinned(weights: Weights) -> None:
    """Refuse weights of which a lock says neither commit nor hash.

    :raises NotPinned: saying how to pin them.
    """
    if not weights.revision or not weights.sha256:
        raise NotPinned(
            f"`{weights.repo}/{weights.file}` is not pinned",
            hint="Run `hub lock --upgrade` where its server can be reached",
        )


def _key(weights: Weights) -> tuple[str, str, str | None]:
    return weights.repo, weights.file, _said(weights)


def _said(weights: Weights) -> str | None:
    """The revision that a manifest names, which is a full commit only if pinned."""
    revision = weights.revision
    return None if revision and weights.sha256 else revision


def _listed(weights: Weights) -> tuple[str, Any]:
    repository = HuggingFaceRepository(weights.repo, endpoint())
    info = repository.ask(
        lambda api: api.model_info(weights.repo, revision=weights.revision), waits=()
    )
    entries: Mapping[str, Any] = {
        entry.path: entry
        for entry in repository.ask(
            lambda api: api.get_paths_info(
                weights.repo, [weights.file], revision=info.sha
            ),
            waits=(),
        )
    }
    if weights.file not in entries:
        raise FileGone(f"`{repository.url}` has no `{weights.file}` at {info.sha}")
    return info.sha, entries[weights.file]


def _download(weights: Weights, commit: str, *, size: int, again: bool = False) -> Path:
    repository = HuggingFaceRepository(weights.repo, endpoint())
    return Path(
        repository.ask(
            lambda api: api.hf_hub_download(
                weights.repo, weights.file, revision=commit, force_download=again
            ),
            # What is asked on the way to it is an answer too.
            limit=max(size, LISTING_LIMIT),
        )
    )


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
