"""An operator that may be published: checked, new at its target, and complete."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from hub_client.conformance import check_repository
from hub_client.publisher.snapshot import take_snapshot
from hub_client.signatures.statement import release_statement
from hub_client.sources import MANIFEST_FILE
from plugin_spec.errors import HubError
from plugin_spec.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from packaging.version import Version

    from hub_client.candidate import Release
    from hub_client.publisher.snapshot import Snapshot
    from plugin_spec.finding import Finding
    from plugin_spec.names import OperatorName


class CheckFailed(HubError):
    """An operator's files have errors; ``findings`` has each of them."""

    def __init__(self, path: Path, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        lines = "\n".join(
            f"  {each.place}: {each.message}\n    {each.mend}" for each in self.findings
        )
        super().__init__(
            f"`{path}` has errors\n{lines}",
            hint=f"`{_check_command(path)}` shows whether they are mended",
        )


def _check_command(path: Path) -> str:
    return shlex.join(["hub", "check", *([str(path)] * (path != Path())), "--run"])


class VersionTaken(HubError):
    """A version is published already, or one that is newer."""


class AttachedBundle(NamedTuple):
    """A sigstore bundle, and the statement that it says it signs."""

    content: bytes
    statement: bytes


@dataclass(frozen=True, slots=True)
class Publication:
    """What is to be published, and as which version."""

    manifest: Manifest
    snapshot: Snapshot
    is_newest: bool
    """Whether no newer version is published."""
    allow_older: bool = False
    """Whether it may be published although it is not."""
    warnings: tuple[Finding, ...] = ()
    bundle: AttachedBundle | None = None
    """None if no sigstore bundle signs it."""

    @property
    def name(self) -> OperatorName:
        """Whose."""
        return self.manifest.name

    @property
    def version(self) -> Version:
        """Which."""
        return self.manifest.version

    @property
    def tag(self) -> str:
        """The tag's name."""
        return f"v{self.version}"

    def against(self, published: Iterable[Release]) -> Self:
        """The same, held against what is published by now.

        :raises VersionTaken: if that is the version itself, or a newer one.
        """
        newest = _is_newest(self.manifest, published, allow_older=self.allow_older)
        return replace(self, is_newest=newest)

    def statement(self, tree: str) -> bytes:
        """What a sigstore bundle of it signs, if its files have this digest."""
        return release_statement(self.name, self.version, tree)


def read_manifest(path: Path) -> Manifest:
    """The manifest of the operator at ``path``.

    :raises HubError: if there is none, or it is not valid.
    """
    try:
        text = (path / MANIFEST_FILE).read_bytes()
    except OSError as error:
        raise HubError(
            f"There is no `{MANIFEST_FILE}` in `{path}`",
            hint="Give the folder of an operator; `hub init NAME` makes one",
        ) from error
    return Manifest.from_yaml(text, source=str(path / MANIFEST_FILE))


def prepare(
    path: Path,
    into: Path,
    *,
    published: Sequence[Release],
    allow_older: bool = False,
    check: Callable[[Path], tuple[Finding, ...]] = check_repository,
) -> Publication:
    """Copy what is to go out, and check it as it will be read.

    :param into: a folder that does not exist yet.
    :param published: what its target has.
    :param check: gives what is to mend in the copy, when all else is right.
    :raises Unpublishable: if files are not committed, or may not be published.
    :raises CheckFailed: with every error that ``hub check`` finds.
    :raises VersionTaken: if the version, or a newer one, is published.
    """
    manifest = read_manifest(path)
    snapshot = take_snapshot(path, into)
    _checked(path, check_repository(into))
    manifest = read_manifest(into)
    is_newest = _is_newest(manifest, published, allow_older=allow_older)
    # Last: it may take minutes, and everything above a moment.
    warnings = _checked(path, check(into))
    return Publication(manifest, snapshot, is_newest, allow_older, warnings)


def _is_newest(
    manifest: Manifest, published: Iterable[Release], *, allow_older: bool
) -> bool:
    versions = {release.version for release in published}
    if manifest.version in versions:
        raise VersionTaken(
            f"{manifest.name} {manifest.version} is published already",
            hint=f"Raise `version` in `{MANIFEST_FILE}`: a version never changes",
        )
    newest = max(versions, default=manifest.version)
    is_newest = newest <= manifest.version
    if not (is_newest or allow_older):
        raise VersionTaken(
            f"{manifest.name} {newest} is published, "
            f"which is newer than {manifest.version}",
            hint="Pass `--allow-older` if this mends an older version",
        )
    return is_newest


def _checked(path: Path, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The warnings of what was found in a copy of what lies at ``path``."""
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise CheckFailed(path, errors)
    return findings
