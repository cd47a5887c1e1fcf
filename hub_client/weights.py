"""Weights that operators load: found at their servers, pinned, and brought."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from hub_client.sources.hugging_face_cache import detach, drop
from hub_client.sources.hugging_face_client import (
    FileGone,
    HuggingFaceRepository,
    RepositoryRefused,
    endpoint,
)
from hub_client.sources.hugging_face_transfer import LISTING_LIMIT, Arrived
from hub_client.tree_digest import DigestMismatch
from plugin_spec.errors import HubError
from plugin_spec.wording import enumerated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hub_client.lockfile import LockedOperator
    from hub_client.transfer import Advance
    from plugin_spec.manifest import Manifest, Weights
    from plugin_spec.names import OperatorName


_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class NotPinned(HubError):
    """A lock says which weights, but not which bytes."""


class ForeignWeights(HubError):
    """A lock has weights for an operator that the operator does not ask for."""


class WeightsMissing(HubError):
    """Weights are not in the cache, and the network may not be used."""


@dataclass(frozen=True, slots=True)
class WeightsPinner:
    """Pins weights by commit, hash and size, as their servers list them now.

    A server that does not answer is asked once: a lock does not wait for it, and says
    of which weights it knows nothing new.
    """

    on_silent: Callable[[Weights, HubError], object]
    """Told the weights as they go into the lock, pinned before or not at all."""
    before: Mapping[OperatorName, LockedOperator] = field(default_factory=dict)
    """What the lock held so far."""
    offline: bool = False
    _silent: list[HubError] = field(default_factory=list)

    def pin(self, operator: LockedOperator, *, renew: bool) -> LockedOperator:
        """Pin all of an operator's weights.

        A manifest's own revision and hash are kept, and the rest is asked for.

        :param renew: ask for those that were pinned before, too. Where there is no
            answer, they stay as they were.
        """
        known = _known(self.before.get(operator.name), operator)
        weights = (
            self._pinned(each, known(each), renew=renew) for each in operator.weights
        )
        return replace(operator, weights=tuple(weights))

    def _pinned(
        self, weights: Weights, before: Weights | None, *, renew: bool
    ) -> Weights:
        if before is not None and not renew:
            return before
        if is_pinned(weights) and weights.size is not None:
            return weights
        try:
            return self._asked(weights)
        except HubError as error:
            kept = before or weights
            self.on_silent(kept, error)
            return kept

    def _asked(self, weights: Weights) -> Weights:
        if self.offline:
            raise NotPinned("the network may not be used")
        if self._silent:
            raise self._silent[0]
        try:
            commit, entry = _listed(weights)
        except (FileGone, RepositoryRefused):  # that is an answer
            raise
        except HubError as error:
            self._silent.append(error)
            raise
        sha256, size = entry.lfs and entry.lfs.sha256, entry.size
        if not sha256:
            path = _download(weights, commit, size=size)
            sha256, size = _hash(path), path.stat().st_size
        if weights.sha256 and weights.sha256.removeprefix("sha256:") != sha256:
            raise DigestMismatch(
                f"`{weights.repo}/{weights.file}`",
                expected=weights.sha256,
                actual=f"sha256:{sha256}",
            )
        return replace(weights, revision=commit, sha256=sha256, size=size)


def fetch_weights(
    weights: Weights,
    *,
    offline: bool = False,
    advance: Advance = lambda _arrived: None,
) -> Path:
    """Bring pinned weights into the cache of Hugging Face's own tools, and hash them.

    :param offline: take what is in that cache, and nothing else.
    :param advance: told the bytes that arrive, or are there already: ``weights.size``.
    :raises NotPinned: if they are not pinned.
    :raises WeightsMissing: if they would have to be fetched, offline.
    :raises DigestMismatch: if the server gives other bytes, twice.
    """
    check_pinned(weights)
    expected = str(weights.sha256).removeprefix("sha256:")
    arrived = Arrived(advance, weights.size or 0)
    if offline:
        path = _cached(weights, expected)
        arrived.complete()
        return path
    size = _listed(weights)[1].size if weights.size is None else weights.size
    for again in (False, True):
        path = _download(
            weights, str(weights.revision), size=size, again=again, arrived=arrived
        )
        actual = _hash(path)
        if actual == expected:
            arrived.complete()
            return path
        drop(path) if again else detach(path)
    raise DigestMismatch(
        f"`{weights.repo}/{weights.file}` at {weights.revision}",
        expected=f"sha256:{expected}",
        actual=f"sha256:{actual}",
        hint="Its server gives other weights than it did when they were locked",
    )


def _cached(weights: Weights, expected: str) -> Path:
    repository = HuggingFaceRepository(weights.repo, endpoint())
    path = repository.cached(weights.file, str(weights.revision))
    if path is None or _hash(path) != expected:
        raise WeightsMissing(
            f"`{weights.repo}/{weights.file}` at {weights.revision} would be fetched, "
            "and you are offline",
            hint="Run again without `--offline`, or with HUB_OFFLINE=0",
        )
    return path


def is_pinned(weights: Weights) -> bool:
    """Whether they are said by a full commit and a hash."""
    return weights.sha256 is not None and _is_commit(weights.revision)


def check_pinned(*weights: Weights) -> None:
    """Refuse weights of which a lock does not say both commit and hash.

    :raises NotPinned: naming each, and saying how to pin them.
    """
    if unpinned := [each for each in weights if not is_pinned(each)]:
        names = enumerated([f"`{each.repo}/{each.file}`" for each in unpinned])
        raise NotPinned(
            f"{names} {'are' if unpinned[1:] else 'is'} not pinned",
            hint="Run `hub lock --upgrade` where its server can be reached",
        )


def _is_commit(revision: str | None) -> bool:
    return revision is not None and _COMMIT.fullmatch(revision) is not None


def foreign_weights(locked: LockedOperator, manifest: Manifest) -> list[str]:
    """What a lock pins for an operator that its manifest does not name."""

    def is_named(pin: Weights, said: Weights) -> bool:
        return (
            (pin.repo, pin.file) == (said.repo, said.file)
            and said.sha256 in {None, pin.sha256}
            and (not _is_commit(said.revision) or said.revision == pin.revision)
        )

    return [
        f"{pin.repo}/{pin.file}"
        for pin in locked.weights
        if not any(is_named(pin, said) for said in manifest.weights)
    ]


def check_weights(locked: LockedOperator, manifest: Manifest) -> None:
    """Refuse weights in a lock that are not the operator's.

    :raises ForeignWeights: naming them.
    """
    if foreign := foreign_weights(locked, manifest):
        names = ", ".join(f"`{each}`" for each in foreign)
        raise ForeignWeights(
            f"The lock pins {names} for {locked.name} {locked.version}, whose manifest "
            "does not name that",
            hint=f"See who changed the lock; `hub lock --upgrade {locked.name}` pins "
            "what the manifest names",
        )


def _known(
    before: LockedOperator | None, now: LockedOperator
) -> Callable[[Weights], Weights | None]:
    """What finds the pinned weights that a manifest's are, if they were locked."""
    if before is None:
        return lambda _: None
    # The same manifest means the same weights, though a pin hides what it said.
    key = _file if before.tree == now.tree else _key
    pinned = [each for each in before.weights if is_pinned(each)]
    counts = Counter(map(key, pinned))
    found = {key(each): each for each in pinned if counts[key(each)] == 1}
    return lambda weights: found.get(key(weights))


def _file(weights: Weights) -> tuple[str, ...]:
    return weights.repo, weights.file


def _key(weights: Weights) -> tuple[str, ...]:
    # A revision that a manifest names is a full commit only if it is pinned.
    said = "" if is_pinned(weights) else weights.revision or ""
    return weights.repo, weights.file, said


def _listed(weights: Weights) -> tuple[str, Any]:
    """The commit that its repository is at, and what that lists for the file."""
    repository = HuggingFaceRepository(weights.repo, endpoint())

    def ask_commit(api: Any) -> str:  # noqa: ANN401  (its package may be missing)
        commit = api.model_info(weights.repo, revision=weights.revision).sha
        # Whatever JSON can hold may stand there, and here.
        if not _is_commit(str(commit)):
            raise ValueError(f"{commit!r} is no commit")
        return str(commit)

    def ask_file(api: Any) -> Any:  # noqa: ANN401
        for entry in api.get_paths_info(weights.repo, [weights.file], revision=commit):
            # A folder has no bytes.
            if entry.path == weights.file and hasattr(entry, "blob_id"):
                return _checked(entry)
        return None

    try:
        commit = repository.ask(ask_commit, silence=False)
    except FileGone as error:
        raise FileGone(
            f"`{repository.url}` has no revision `{weights.revision}`",
            hint="Ask the operator's publisher, who names it in `weights`",
        ) from error
    entry = repository.ask(ask_file, silence=False)
    if entry is None:
        raise FileGone(f"`{repository.url}` has no file `{weights.file}` at {commit}")
    return commit, entry


def _checked(entry: Any) -> Any:  # noqa: ANN401  (its client's own)
    if type(entry.size) is not int or entry.size < 0:
        raise ValueError(f"{entry.size!r} is no number of bytes")
    if entry.lfs and not _SHA256.fullmatch(str(entry.lfs.sha256)):
        raise ValueError(f"{entry.lfs.sha256!r} is no SHA-256")
    return entry


def _download(
    weights: Weights,
    commit: str,
    *,
    size: int,
    again: bool = False,
    arrived: Arrived | None = None,
) -> Path:
    repository = HuggingFaceRepository(weights.repo, endpoint())
    try:
        return repository.download(
            weights.file,
            commit,
            # What is asked on the way to it is an answer too.
            limit=max(size, LISTING_LIMIT),
            again=again,
            arrived=arrived,
        )
    except FileGone as error:
        raise FileGone(
            f"`{repository.url}` does not have `{weights.file}` at {commit}",
            hint="Ask its publisher; `hub lock --upgrade` pins what is there now",
        ) from error


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
