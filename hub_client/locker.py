"""From a project to its lock."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from packaging.version import Version

from hub_client.admission import admit, with_signed_trees
from hub_client.candidate import describe
from hub_client.environment import OLDEST_PYTHON
from hub_client.lockfile import LockedOperator, Lockfile
from hub_client.sources import MANIFEST_FILE
from plugin_spec.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from packaging.specifiers import SpecifierSet

    from hub_client.candidate import Candidate
    from hub_client.config import HubConfig
    from hub_client.packages import PackageInstaller
    from hub_client.project import Project
    from hub_client.resolver import Resolution
    from hub_client.signatures import Signature
    from hub_client.sources.router import SourceRouter
    from hub_client.store import Store
    from hub_client.weights import WeightsPinner
    from plugin_spec.names import OperatorName


class RevisionChanged(HubError):
    """A version that was locked is another one at its source now."""

    def __init__(self, candidate: Candidate, locked: LockedOperator) -> None:
        super().__init__(
            f"{candidate} at `{candidate.source}` is not what was locked\n"
            f"  locked {locked.revision}\n"
            f"  found  {candidate.release.revision}",
            hint="Ask its publisher why the version changed; "
            "`hub lock --upgrade` accepts it",
        )


def lock_project(  # noqa: PLR0913  (each is another room of the house)
    project: Project,
    *,
    router: SourceRouter,
    store: Store,
    config: HubConfig,
    installer: PackageInstaller,
    previous: Lockfile | None = None,
    once: Callable[[Candidate], object] | None = None,
    pinner: WeightsPinner | None = None,
    warn: Callable[[str], object] = lambda _: None,
) -> Lockfile:
    """Resolve a project for every platform, and pin what was found.

    The trees come into the store, as their digests are what is pinned.

    :param previous: a lock whose versions are kept where they fit; None to take the
        newest of everything.
    :param once: as for ``admit``.
    :param pinner: asks servers which weights they have; None to leave that.
    :param warn: told each version that is passed over, as its manifest does not read,
        and each that was yanked.
    :raises RevisionChanged: if a version that is kept is another one now.
    """
    from hub_client.resolver import resolve  # noqa: PLC0415  (slow)

    before = {each.name: each for each in previous.operators} if previous else {}
    resolution = resolve(
        project.operators,
        router,
        python=oldest_python(project.requires_python),
        locked=before,
        prerelease=project.prerelease,
    )
    for sentence in (*resolution.passed_over, *resolution.withdrawn):
        warn(sentence)
    for candidate in resolution.candidates:
        _check_unchanged(candidate, before.get(candidate.name))
    signatures = admit(
        resolution.candidates,
        config,
        router=router,
        directory=project.path.parent,
        once=once,
        warn=warn,
    )
    requests = {each.name: each.manifest.packages for each in resolution.candidates}
    packages = installer.lock(
        requests,
        requires_python=project.requires_python,
        locked=previous.packages if previous else (),
    )
    operators = [
        _signed(_locked(each, router, store, project.path.parent), signatures)
        for each in with_signed_trees(resolution.candidates, signatures)
    ]
    operators = [_with_needed_weights(each, resolution) for each in operators]
    if pinner is not None:
        operators = [
            pinner.pin(each, renew=each.name not in before) for each in operators
        ]
    return Lockfile(project.inputs, tuple(operators), packages)


def _with_needed_weights(
    locked: LockedOperator, resolution: Resolution
) -> LockedOperator:
    """Leave out weights that no call loads, as far as manifests say all calls."""
    name = locked.name
    manifests = [each.manifest for each in resolution.candidates]
    named = (each.name for manifest in manifests for each in manifest.operators)
    if name in {*(root.name for root in resolution.roots), *named}:
        return locked
    calls = [
        step.options
        for manifest in manifests
        for step in manifest.steps
        if step.requirement.name == name
    ]
    needed = (each for each in locked.weights if any(map(each.may_serve, calls)))
    return replace(locked, weights=tuple(needed))


def _signed(
    locked: LockedOperator, signatures: Mapping[OperatorName, Signature]
) -> LockedOperator:
    found = signatures.get(locked.name)
    return replace(locked, signer=found and found.signer)


def _check_unchanged(candidate: Candidate, locked: LockedOperator | None) -> None:
    if (
        locked is not None
        and (locked.version, locked.source) == (candidate.version, candidate.source)
        # A folder of one's own changes as one works; a tag must not.
        and candidate.release.ref is not None
        and locked.revision != candidate.release.revision
    ):
        raise RevisionChanged(candidate, locked)


def _locked(
    candidate: Candidate, router: SourceRouter, store: Store, directory: Path
) -> LockedOperator:
    revision = candidate.release.revision
    known = revision if revision.startswith("sha256:") else candidate.release.tree
    source = router.origin(candidate, directory)
    if known is None or not store.has(known, source=source):
        known = store.add(
            lambda folder: router.fetch(candidate, folder),
            expected=known,
            source=source,
            what=describe(candidate),
        )
    router.confirm(candidate, store.path(known))
    manifest = (store.path(known) / MANIFEST_FILE).read_bytes()
    digest = f"sha256:{sha256(manifest).hexdigest()}"
    return LockedOperator.from_candidate(candidate, tree=known, manifest=digest)


def oldest_python(requires_python: SpecifierSet) -> Version:
    """The oldest interpreter that the project is for: operators must run on it."""
    major, minor = OLDEST_PYTHON
    candidates = (Version(f"{major}.{each}.99") for each in range(minor, minor + 20))
    return next(filter(requires_python.contains, candidates), Version("3.11.99"))
