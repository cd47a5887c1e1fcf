"""What a lock pins: operators by revision and as_digest, Python packages by hash."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self

from packaging.markers import Marker
from packaging.requirements import Requirement as PackageRequirement
from packaging.version import Version

from hub_client.candidate import Release
from hub_client.lockfile.entry import (
    Entry,
    as_digest,
    as_line,
    as_number,
    as_table,
    as_text,
    each,
    matching,
    parsed,
)
from plugin_spec.formats import FORMATS
from plugin_spec.manifest import Weights
from plugin_spec.names import OperatorName
from plugin_spec.requirement import Requirement, parse_specifier
from plugin_spec.spaces import EmbeddingSpace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from packaging.specifiers import SpecifierSet

    from hub_client.candidate import Candidate

_REVISION = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}|sha256:[0-9a-f]{64}")
_REF = re.compile(r"refs/[\w.+!/-]+")
_PACKAGE_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_REPOSITORY = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
)
_NAMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,200}")
_SHA256 = re.compile(r"(sha256:)?[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """A Python package at one version, for the platforms that ``marker`` selects."""

    name: str
    """Canonical: lower case, single hyphens."""
    version: str
    marker: str | None
    """PEP 508; None stands for every platform."""
    hashes: tuple[str, ...]
    """``sha256:…`` of each file that may be installed."""

    @classmethod
    def from_entry(cls, entry: Entry) -> Self:
        """Read one line of ``packages``.

        :raises LockProblem: the first that it has.
        """
        entry.check_keys("name", "version", "marker", "hashes")
        package = cls(
            name=entry.get("name", matching(_PACKAGE_NAME, "a canonical name")),
            version=entry.get("version", lambda value: str(Version(as_text(value)))),
            marker=entry.get("marker", parsed(_marker), None),
            hashes=entry.get("hashes", each(as_digest)),
        )
        if not package.hashes:
            raise entry.problem("hashes", "expected at least one")
        return package

    def is_for(self, markers: Mapping[str, str]) -> bool:
        """Whether an environment with these values of PEP 508's markers takes it."""
        return self.marker is None or Marker(self.marker).evaluate(dict(markers))

    def to_dict(self) -> dict[str, Any]:
        """The package as TOML values."""
        return _without_none(
            {
                "name": self.name,
                "version": self.version,
                "marker": self.marker,
                "hashes": sorted(self.hashes),
            }
        )


@dataclass(frozen=True, slots=True)
class LockedOperator:
    """An operator at one revision: all that fetching and installing it needs."""

    name: OperatorName
    version: Version
    source: str
    """The source as written in configuration, for example ``bundled``."""
    ref: str | None
    revision: str
    tree: str
    """Digest of the folder that is installed, ``sha256:…``."""
    manifest: str
    """Digest of its ``operator.yaml``, ``sha256:…``."""
    requires: tuple[Requirement, ...]
    requires_python: SpecifierSet
    packages: tuple[str, ...]
    """PEP 508 requirements, never URLs."""
    yanked: str | None = None
    weights: tuple[Weights, ...] = ()
    signer: str | None = None
    space: EmbeddingSpace | None = None
    """Of its vectors, if its manifest says it."""

    @classmethod
    def from_candidate(
        cls,
        candidate: Candidate,
        *,
        tree: str,
        manifest: str,
        weights: Sequence[Weights] | None = None,
        signer: str | None = None,
    ) -> Self:
        """Lock ``candidate``, whose tree and manifest have these digests.

        :param weights: the manifest's own, once their revisions and sizes are known.
        """
        said, release = candidate.manifest, candidate.release
        return cls(
            name=candidate.name,
            version=release.version,
            source=candidate.source,
            ref=release.ref,
            revision=release.revision,
            tree=tree,
            manifest=manifest,
            requires=tuple(sorted(set(said.dependencies), key=str)),
            requires_python=said.requires_python,
            packages=tuple(sorted(map(str, said.packages))),
            yanked=release.yanked,
            weights=said.weights if weights is None else tuple(weights),
            signer=signer,
            space=said.space,
        )

    @property
    def release(self) -> Release:
        """What a source needs to fetch it."""
        return Release(
            self.version, self.revision, self.ref, self.yanked, tree=self.tree
        )

    @classmethod
    def from_entry(cls, entry: Entry) -> Self:
        """Read one table ``[[operator]]``.

        :raises LockProblem: the first that it has.
        """
        entry.check_keys(
            *("name", "version", "source", "ref", "revision", "tree", "manifest"),
            *("requires", "requires-python", "packages", "yanked", "signer", "space"),
            "weights",
        )
        return cls(
            name=entry.get("name", parsed(OperatorName.parse)),
            version=entry.get("version", parsed(Version)),
            source=entry.get("source", as_line),
            ref=entry.get("ref", matching(_REF, "`refs/…`"), None),
            revision=entry.get(
                "revision", matching(_REVISION, "a full commit or `sha256:…`")
            ),
            tree=entry.get("tree", as_digest),
            manifest=entry.get("manifest", as_digest),
            requires=entry.get("requires", each(parsed(Requirement.parse))),
            requires_python=entry.get("requires-python", parsed(parse_specifier)),
            packages=entry.get("packages", each(parsed(_package_requirement))),
            yanked=entry.get("yanked", as_text, None),
            signer=entry.get("signer", as_line, None),
            space=entry.get("space", _space, None),
            weights=entry.get("weights", each(_weights), ()),
        )

    def to_dict(self) -> dict[str, Any]:
        """The operator as TOML values."""
        weights = [
            _without_none(
                {
                    # TOML has no null.
                    "for": _without_none(dict(sorted(each.when.items()))) or None,
                    "repo": each.repo,
                    "file": each.file,
                    "revision": each.revision,
                    "sha256": each.sha256,
                    "size": each.size,
                }
            )
            for each in self.weights
        ]
        return _without_none(
            {
                "name": str(self.name),
                "version": str(self.version),
                "source": self.source,
                "ref": self.ref,
                "revision": self.revision,
                "tree": self.tree,
                "manifest": self.manifest,
                "requires": [str(requirement) for requirement in self.requires],
                "requires-python": str(self.requires_python),
                "packages": list(self.packages),
                "yanked": self.yanked,
                "signer": self.signer,
                "space": None if self.space is None else _space_to_dict(self.space),
                "weights": weights or None,
            }
        )


def _plain_path(text: str) -> str:
    if problem := FORMATS["path"](text):
        raise ValueError(problem)
    return text


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}


@cache
def parse_package_requirement(text: str) -> PackageRequirement:
    """Parse PEP 508; once, as a lock has the same ones many times.

    :raises InvalidRequirement: if it is none.
    """
    return PackageRequirement(text)


def _package_requirement(text: str) -> str:
    if problem := FORMATS["package"](text):
        raise ValueError(problem)
    return str(parse_package_requirement(text))


def _marker(text: str) -> str:
    marker = str(Marker(text))
    # It is written into lines that uv and pip read.
    if not marker.isprintable():
        raise ValueError(f"expected a marker of PEP 508, got {text!r}")
    return marker


def _space(value: Any) -> EmbeddingSpace:  # noqa: ANN401
    said = dict(as_table(value))
    fingerprint = said.pop("fingerprint", None)
    space = EmbeddingSpace.from_dict(said)
    if fingerprint != space.fingerprint:
        raise ValueError(f"it is not the space {fingerprint!r}")
    return space


def _space_to_dict(space: EmbeddingSpace) -> dict[str, Any]:
    return {"fingerprint": space.fingerprint, **space.stated()}


def _weights(value: Any) -> Weights:  # noqa: ANN401
    entry = Entry(as_table(value))
    entry.check_keys("for", "repo", "file", "revision", "sha256", "size")
    return Weights(
        when=entry.get("for", as_table, {}),
        repo=entry.get("repo", matching(_REPOSITORY, "`organisation/repository`")),
        file=entry.get("file", parsed(_plain_path)),
        revision=entry.get(
            "revision", matching(_NAMED, "a commit, tag or branch name"), None
        ),
        sha256=entry.get("sha256", matching(_SHA256, "64 hexadecimal digits"), None),
        size=entry.get("size", as_number, None),
    )
