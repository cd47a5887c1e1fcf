"""What is asked of the resolver, and which releases its rules allow as an answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from hub_client.candidate import Candidate, ReleaseGone
from hub_client.resolver.constraint import Request
from hub_client.resolver.resolution import Rejection
from plugin_spec.errors import InvalidManifest, OtherOperator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    from hub_client.candidate import Release
    from plugin_spec.manifest import Manifest
    from plugin_spec.names import OperatorName
    from plugin_spec.requirement import Requirement


class Index(Protocol):
    """The part of a source that the resolver asks.

    A source may also answer ``source_spec(name)``, how configuration writes the source
    of a name, and ``names()``, every name it can list, for "did you mean".
    """

    def versions(self, name: OperatorName) -> Sequence[Release]:
        """Every release of ``name``, in any order; empty if there is none."""

    def manifest(self, name: OperatorName, release: Release) -> Manifest:
        """Read the manifest of one release.

        :raises InvalidManifest: which rejects that release alone.
        :raises ReleaseGone: likewise.
        """


_ANY_PATCH: Final = 99
"""A patch release that there is not: of a project, which is for every one."""


@dataclass(frozen=True, slots=True)
class Question:
    """Requirements, a source and the rules; asks the source nothing twice.

    Whether a rule allows a release depends on the roots alone, never on how far the
    search has come: so an answer is found exactly when there is one.
    """

    index: Index
    roots: tuple[Requirement, ...]
    python: Version
    preferred: Mapping[OperatorName, Version]
    prerelease: bool
    _releases: dict[OperatorName, tuple[Release, ...]] = field(default_factory=dict)
    _excluded: dict[Request, int] = field(default_factory=dict)
    _one: dict[Request, Request] = field(default_factory=dict)
    _requests: dict[tuple[OperatorName, Release], tuple[Request, ...]] = field(
        default_factory=dict
    )
    _candidates: dict[tuple[OperatorName, Release], Candidate | Rejection] = field(
        default_factory=dict
    )

    def releases(self, name: OperatorName) -> tuple[Release, ...]:
        """Every release of ``name``: the preferred one, then newest first."""
        if name not in self._releases:
            preferred = self.preferred.get(name)
            self._releases[name] = tuple(
                sorted(
                    self.index.versions(name),
                    key=lambda r: (r.version == preferred, r.version, r.revision),
                    reverse=True,
                )
            )
        return self._releases[name]

    def excluded(self, request: Request) -> int:
        """A bit for no version at all, and one for each release that will not do.

        The lowest bit is the former, then they are in the order of `releases`.
        """
        if request not in self._excluded:
            mask, wanted = 1, request.requirement
            for bit, release in enumerate(self.releases(wanted.name), start=1):
                mask |= (not wanted.accepts(release.version)) << bit
            self._excluded[request] = mask
        return self._excluded[request]

    def candidate(self, name: OperatorName, release: Release) -> Candidate | Rejection:
        """The release with its manifest, or why that cannot be used at all."""
        key = name, release
        if key not in self._candidates:
            self._candidates[key] = self._read(name, release)
        return self._candidates[key]

    def read(self, name: OperatorName) -> Iterator[tuple[int, Candidate]]:
        """The usable releases that were read, each with its bit of a mask."""
        for number, release in enumerate(self.releases(name), start=1):
            candidate = self._candidates.get((name, release))
            if isinstance(candidate, Candidate):
                yield 1 << number, candidate

    def requests(self, candidate: Candidate) -> tuple[Request, ...]:
        """What a candidate asks of others."""
        name = candidate.name
        key = name, candidate.release
        if key not in self._requests:
            # One object per request is told apart from others in no time.
            self._requests[key] = tuple(
                self._one.setdefault(request, request)
                for request in (
                    Request(name, r) for r in candidate.manifest.dependencies
                )
                if request.requirement.name != name
            )
        return self._requests[key]

    def rules_against(
        self, name: OperatorName, release: Release
    ) -> Iterator[Rejection]:
        """Why ``release`` is out of the question; its manifest is read last."""
        reject = partial(Rejection, name, release.version)
        if self._is_withdrawn(name, release):
            yield reject(
                f"was yanked: {release.yanked}" if release.yanked else "was yanked",
                f"Pin `{name}=={release.version}` to take it all the same",
            )
        if self._is_premature(name, release):
            yield reject("is a pre-release", "Allow pre-releases with `--pre`")
        candidate = self.candidate(name, release)
        if isinstance(candidate, Rejection):
            yield candidate
            return
        requires_python = candidate.manifest.requires_python
        if not requires_python.contains(self.python, prereleases=True):
            yield reject(
                f"requires Python `{requires_python}`",
                self._other_python(requires_python),
            )

    def _other_python(self, required: SpecifierSet) -> str:
        if self.python.micro == _ANY_PATCH:
            major, oldest = self.python.major, self.python.minor
            later = (f"{major}.{each}.{_ANY_PATCH}" for each in range(oldest, 100))
            # Any other major version is later, too.
            if not any(map(required.contains, (*later, f"{major + 1}.0"))):
                return f"The project is for Python {major}.{oldest} and later"
            return (
                f"The project is for Python {major}.{oldest} too: "
                "raise its `requires-python`"
            )
        return f"This is Python {self.python}; choose another with `--python`"

    def source_of(self, name: OperatorName) -> str:
        """The source of ``name`` as configuration writes it, or else its type."""
        source_spec = getattr(self.index, "source_spec", None)
        return str(source_spec(name)) if source_spec else type(self.index).__name__

    def known_names(self) -> tuple[OperatorName, ...]:
        """Every name that the source can list; a source need not list any."""
        return tuple(getattr(self.index, "names", tuple)())

    def _read(self, name: OperatorName, release: Release) -> Candidate | Rejection:
        source = release.source or self.source_of(name)
        try:
            manifest = self.index.manifest(name, release)
        except OtherOperator as error:
            reason = f"is another operator's: {'; '.join(error.problems)}"
            return Rejection(name, release.version, reason, unread_at=source)
        except InvalidManifest as error:
            reason = f"has an invalid manifest: {'; '.join(error.problems)}"
            return Rejection(name, release.version, reason, unread_at=source)
        except ReleaseGone as error:
            # An older version will do as well as where its tag is gone, too.
            reason = f"cannot be read: {error}"
            return Rejection(name, release.version, reason, unread_at=source)
        for requirement in manifest.dependencies:
            if requirement.name == name and not requirement.accepts(release.version):
                reason = f"requires `{requirement}`, which it is not itself"
                return Rejection(name, release.version, reason)
        return Candidate(name, release, source, manifest)

    def _is_withdrawn(self, name: OperatorName, release: Release) -> bool:
        """Whether a release was yanked, and no root pins it."""
        return release.yanked is not None and not any(
            root.name == name and _pins(root, release.version) for root in self.roots
        )

    def _is_premature(self, name: OperatorName, release: Release) -> bool:
        """Whether it is a pre-release that nobody asked for, with something else."""
        return (
            release.version.is_prerelease
            and not self.prerelease
            and not any(
                root.name == name and root.specifier.prereleases for root in self.roots
            )
            and any(
                not other.version.is_prerelease and other.yanked is None
                for other in self.releases(name)
            )
        )


def _pins(requirement: Requirement, version: Version) -> bool:
    """Whether ``requirement`` asks for exactly ``version``, not for a range of them."""
    return requirement.accepts(version) and any(
        each.operator in ("==", "===") and not each.version.endswith(".*")
        for each in requirement.specifier
    )
