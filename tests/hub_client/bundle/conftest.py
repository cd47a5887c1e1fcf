from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from packaging.specifiers import SpecifierSet

from hub_client.bundle.collecting import Collector
from hub_client.bundle.folder import BundleFolder
from hub_client.bundle.platforms import Platform
from hub_client.config import HubConfig
from hub_client.environment import Environment
from hub_client.lockfile import LockedOperator, LockedPackage, Lockfile
from hub_client.packages import open_installer
from hub_client.sources.router import SourceRouter
from hub_client.store import Store
from hub_client.tree_digest import tree_digest
from plugin_spec.manifest import Manifest

if TYPE_CHECKING:
    from pathlib import Path

    from servers.operator_files import OperatorFolder
    from servers.python_packages import PackageFolder

    from hub_client.bundle.listing import BundleListing

HERE = Platform.of(Environment.current())


def locked(folder: Path, source: str) -> LockedOperator:
    """A lock's entry for the operator in a folder."""
    text = (folder / "operator.yaml").read_bytes()
    manifest, digest = Manifest.from_yaml(text), tree_digest(folder)
    return LockedOperator(
        name=manifest.name,
        version=manifest.version,
        source=source,
        ref=None,
        revision=digest,
        tree=digest,
        manifest=f"sha256:{hashlib.sha256(text).hexdigest()}",
        requires=(),
        requires_python=SpecifierSet(">=3.11"),
        packages=(),
    )


def pinned(wheel: Path, marker: str | None = None) -> LockedPackage:
    """A lock's line for the package in a wheel."""
    name, version = wheel.name.split("-")[:2]
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return LockedPackage(name.replace("_", "-"), version, marker, (f"sha256:{digest}",))


@dataclass(frozen=True, slots=True)
class Publisher:
    """Two operators and two packages, the lock that pins them, and a collector."""

    operators: OperatorFolder
    packages: PackageFolder
    lock: Lockfile
    collector: Collector
    steps: list[str] = field(default_factory=list)

    @property
    def operators_alone(self) -> Publisher:
        """The same without packages: nothing that takes uv."""
        return replace(self, lock=replace(self.lock, packages=()))

    def bundle(
        self,
        path: Path,
        *platforms: Platform,
        lock: Lockfile | None = None,
        recheck: bool = False,
    ) -> tuple[BundleFolder, BundleListing]:
        """Make a bundle, or bring it up to date."""
        collector = replace(self.collector, on_step=self.steps.append)
        with BundleFolder.open(path, recheck=recheck) as folder:
            wanted = platforms or (HERE,)
            return folder, collector.collect(lock or self.lock, wanted, folder)


@pytest.fixture
def publisher(
    tmp_path: Path, operators: OperatorFolder, python_packages: PackageFolder
) -> Publisher:
    source = operators.spec
    entries = [
        locked(operators.publish(f"acme/{name}", "1.0.0"), source)
        for name in ("blur", "embed")
    ]
    tensor = pinned(python_packages.add("hub-tensor", "2.0"))
    windows = pinned(python_packages.add("hub-win", "1.0"), 'os_name == "nt"')
    config = replace(
        HubConfig.load(), trusted=(source,), cache_dir=tmp_path / "publisher-cache"
    )
    collector = Collector(
        store=Store(config.cache_dir / "store"),
        router=SourceRouter({}, cache_dir=config.cache_dir),
        config=config,
        installer=open_installer("uv"),
        requires_python=SpecifierSet(">=3.11"),
    )
    lock = Lockfile((), tuple(entries), (tensor, windows))
    return Publisher(operators, python_packages, lock, collector)
