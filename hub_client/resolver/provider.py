"""The rules of this hub, in the terms resolvelib asks for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from resolvelib import AbstractProvider, BaseReporter

from hub_client.candidate import Candidate
from hub_client.resolver.explain import explain_rejection
from hub_client.resolver.resolution import Rejection
from plugin_spec.errors import InvalidManifest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from packaging.version import Version
    from resolvelib.resolvers.criterion import Criterion
    from resolvelib.structs import Matches, RequirementInformation

    from hub_client.candidate import Release
    from hub_client.resolver.resolution import Index
    from plugin_spec.names import OperatorName
    from plugin_spec.requirement import Requirement

    Information = RequirementInformation[Requirement, Candidate]


class HubProvider(AbstractProvider["Requirement", Candidate, "OperatorName"]):
    """Answers resolvelib's questions from a source, reading no manifest twice.

    Whether a release may be chosen at all depends on the roots alone, never on how far
    the search has come: so an answer is found exactly when there is one.
    """

    def __init__(
        self,
        index: Index,
        roots: Sequence[Requirement],
        *,
        python: Version,
        preferred: Mapping[OperatorName, Version],
        prerelease: bool,
    ) -> None:
        self._index = index
        self.roots = roots
        self._rejected: dict[tuple[OperatorName, Release], Rejection] = {}
        self._python = python
        self._preferred = preferred
        self._prerelease = prerelease
        self._releases: dict[OperatorName, tuple[Release, ...]] = {}
        self._candidates: dict[tuple[OperatorName, Release], Candidate | None] = {}

    def identify(
        self, requirement_or_candidate: Requirement | Candidate
    ) -> OperatorName:
        """Requirements and candidates of one name are about one choice."""
        return requirement_or_candidate.name

    def get_preference(
        self,
        identifier: OperatorName,
        resolutions: Mapping[OperatorName, Candidate],  # noqa: ARG002  (as above)
        candidates: Mapping[OperatorName, Iterator[Candidate]],  # noqa: ARG002
        information: Mapping[OperatorName, Iterator[Information]],  # noqa: ARG002
        backtrack_causes: Sequence[Information],
    ) -> tuple[bool, bool, OperatorName]:
        """What last failed is decided first, then what the user asked for, by name.

        ``candidates`` stays unread: counting them would read every manifest.
        """
        failed = any(
            identifier == each.name
            for cause in backtrack_causes
            for each in cause
            if each is not None
        )
        asked_for = any(root.name == identifier for root in self.roots)
        return not failed, not asked_for, identifier

    def find_matches(
        self,
        identifier: OperatorName,
        requirements: Mapping[OperatorName, Iterator[Requirement]],
        incompatibilities: Mapping[OperatorName, Iterator[Candidate]],
    ) -> Matches[Candidate]:
        """Candidates that will do, best first, each read when it is its turn."""
        wanted = tuple(requirements[identifier])
        failed = {candidate.release for candidate in incompatibilities[identifier]}
        releases = [
            release
            for release in self.releases(identifier)
            if release not in failed
            and all(requirement.accepts(release.version) for requirement in wanted)
        ]
        return lambda: filter(
            None, (self._candidate(identifier, release) for release in releases)
        )

    def is_satisfied_by(self, requirement: Requirement, candidate: Candidate) -> bool:
        """Other rules were applied when the candidate was made."""
        return requirement.accepts(candidate.version)

    def get_dependencies(self, candidate: Candidate) -> Iterable[Requirement]:
        """What the candidate needs beside itself."""
        return [
            requirement
            for requirement in candidate.manifest.dependencies
            if requirement.name != candidate.name
        ]

    def releases(self, name: OperatorName) -> tuple[Release, ...]:
        """Every release of ``name``: the preferred one, then newest first."""
        if name not in self._releases:
            preferred = self._preferred.get(name)
            self._releases[name] = tuple(
                sorted(
                    self._index.versions(name),
                    key=lambda r: (r.version == preferred, r.version, r.revision),
                    reverse=True,
                )
            )
        return self._releases[name]

    def source_of(self, name: OperatorName) -> str:
        """The source of ``name`` as configuration writes it, or else its type."""
        source_spec = getattr(self._index, "source_spec", None)
        return str(source_spec(name)) if source_spec else type(self._index).__name__

    def known_names(self) -> tuple[OperatorName, ...]:
        """Every name that the source can list; a source need not list any."""
        return tuple(getattr(self._index, "names", tuple)())

    def give_up(self, candidate: Candidate, reason: str) -> None:
        """Keep why the search dropped a candidate: the first time says most."""
        rejection = Rejection(candidate.name, candidate.version, reason)
        self._rejected.setdefault((candidate.name, candidate.release), rejection)

    def rejections(self) -> tuple[Rejection, ...]:
        """What was turned down so far, by name, newest first."""
        newest = sorted(self._rejected.values(), key=lambda r: r.version, reverse=True)
        return tuple(sorted(newest, key=lambda rejection: rejection.name))

    def _candidate(self, name: OperatorName, release: Release) -> Candidate | None:
        key = name, release
        # resolvelib tells candidates apart by identity: one object per release.
        if key not in self._candidates:
            found = self._read(name, release)
            if isinstance(found, Rejection):
                self._rejected[key] = found
            self._candidates[key] = found if isinstance(found, Candidate) else None
        return self._candidates[key]

    def _read(self, name: OperatorName, release: Release) -> Candidate | Rejection:
        """Apply the rules that need no manifest, read it, and apply the others."""
        reject = partial(Rejection, name, release.version)
        if self._is_withdrawn(name, release):
            return reject(
                f"was yanked: {release.yanked}" if release.yanked else "was yanked",
                f"Pin `{name}=={release.version}` to take it all the same",
            )
        if self._is_premature(name, release):
            return reject("is a pre-release", "Allow pre-releases with `--pre`")
        try:
            manifest = self._index.manifest(name, release)
        except InvalidManifest as error:
            return reject(f"has an invalid manifest: {'; '.join(error.problems)}")
        if not manifest.requires_python.contains(self._python, prereleases=True):
            return reject(
                f"requires Python `{manifest.requires_python}`",
                f"This is Python {self._python}; choose another with `--python`",
            )
        for requirement in manifest.dependencies:
            if requirement.name == name and not requirement.accepts(release.version):
                return reject(f"requires `{requirement}`, which it is not itself")
        return Candidate(name, release, self.source_of(name), manifest)

    def _is_withdrawn(self, name: OperatorName, release: Release) -> bool:
        """Whether a release was yanked, and no root pins it."""
        return release.yanked is not None and not any(
            root.name == name and _pins(root, release.version) for root in self.roots
        )

    def _is_premature(self, name: OperatorName, release: Release) -> bool:
        """Whether a release is a pre-release that nobody asked for, and not needed."""
        return (
            release.version.is_prerelease
            and not self._prerelease
            and not any(
                root.name == name and root.specifier.prereleases for root in self.roots
            )
            and any(
                not other.version.is_prerelease and other.yanked is None
                for other in self.releases(name)
            )
        )


class RejectionReporter(BaseReporter["Requirement", Candidate, "OperatorName"]):
    """Keeps why the search gave a candidate up."""

    def __init__(self, provider: HubProvider) -> None:
        self._provider = provider

    def rejecting_candidate(
        self, criterion: Criterion[Requirement, Candidate], candidate: Candidate
    ) -> None:
        """A dependency of ``candidate`` finds nothing beside what is chosen."""
        reason = explain_rejection(candidate, criterion.information)
        self._provider.give_up(candidate, reason)

    def resolving_conflicts(self, causes: Collection[Information]) -> None:
        """What was chosen earlier makes a later choice impossible."""
        for parent in {id(cause.parent): cause.parent for cause in causes}.values():
            if parent is not None:
                self._provider.give_up(parent, explain_rejection(parent, causes))


def _pins(requirement: Requirement, version: Version) -> bool:
    """Whether ``requirement`` asks for exactly ``version``, not for a range of them."""
    return requirement.accepts(version) and any(
        each.operator in ("==", "===") and not each.version.endswith(".*")
        for each in requirement.specifier
    )
