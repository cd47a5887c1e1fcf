"""An index in memory: what the resolver asks of a source, and nothing more."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from hub_client.candidate import Release
from plugin_spec.errors import InvalidManifest
from plugin_spec.manifest import Manifest
from plugin_spec.names import OperatorName
from plugin_spec.requirement import Requirement

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass
class MemoryIndex:
    """``{name: {version: {requires, python, yanked, invalid}}}``, as scenarios say it.

    ``read`` lists which manifests were read, in order.
    """

    operators: Mapping[str, Mapping[str, Mapping[str, Any]]]
    read: list[str] = field(default_factory=list)

    def source_spec(self, name: OperatorName) -> str:
        return "memory"

    def names(self) -> list[OperatorName]:
        return [OperatorName.parse(name) for name in self.operators]

    def versions(self, name: OperatorName) -> list[Release]:
        return [
            Release(
                Version(version),
                hashlib.sha1(f"{name} {version}".encode()).hexdigest(),  # noqa: S324
                f"refs/tags/v{version}",
                body.get("yanked"),
            )
            for version, body in self.operators.get(str(name), {}).items()
        ]

    def manifest(self, name: OperatorName, release: Release) -> Manifest:
        version = (release.ref or "").removeprefix("refs/tags/v")
        body = self.operators[str(name)][version]
        self.read.append(f"{name} {version}")
        if "invalid" in body:
            raise InvalidManifest(f"{name} {version}", body["invalid"])
        return Manifest(
            name=name,
            version=release.version,
            kind="operator",
            summary="",
            license="Apache-2.0",
            module="operator",
            requires_python=SpecifierSet(body.get("python", "")),
            operators=tuple(map(Requirement.parse, body.get("requires", ()))),
            packages=(),
            inputs=(),
            outputs=(),
            parameters={},
            steps=(),
            weights=(),
        )


@pytest.fixture(scope="session")
def memory_index() -> type[MemoryIndex]:
    return MemoryIndex
