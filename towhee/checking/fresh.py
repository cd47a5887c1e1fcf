"""A new environment with an operator, what it requires, and nothing else."""

from __future__ import annotations

import platform
import shutil
import venv
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.requirements import Requirement as PackageRequirement
from packaging.specifiers import SpecifierSet

from hub_client.config import HubConfig, find_project_file
from hub_client.environment import Environment
from hub_client.installer import Installer
from hub_client.packages import open_installer
from hub_client.sources import MANIFEST_FILE
from hub_client.sources.router import SourceRouter
from hub_client.store import Store
from plugin_spec.errors import HubError
from plugin_spec.finding import Finding
from plugin_spec.manifest import Manifest
from plugin_spec.names import OperatorName
from plugin_spec.requirement import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable

_DISTRIBUTION: Final = "towhee-hub"
_ROOT: Final = Path(__file__).resolve().parents[2]
_FLOORS: Final = ("plugin_spec", "hub_client", "towhee")


def prepare_fresh(operator: Path, folder: Path) -> Path | Finding:
    """Make an environment in ``folder``, and install the operator into it by name.

    :returns: its interpreter; or what is to mend, if it cannot be installed.
    """
    manifest = Manifest.from_yaml((operator / MANIFEST_FILE).read_bytes())
    python = platform.python_version()
    if not manifest.requires_python.contains(python, prereleases=True):
        message = f"not installed: it requires Python `{manifest.requires_python}`"
        mend = f"This is Python {python}: run hub with one that it may have"
        return Finding("error", "requirements", message, mend)
    venv.create(folder, symlinks=True)
    environment = Environment.open(folder)
    try:
        _install_hub(environment)
        _install(operator, manifest, environment, folder.with_name("source"))
    except HubError as error:
        mend = error.hint or "Mend `requires`, until `hub install` succeeds"
        return Finding("error", "requirements", f"not installed: {error}", mend)
    return environment.python


def _install_hub(environment: Environment) -> None:
    """This hub itself, as it lies here, and the packages that it requires."""
    prefix = environment.prefix
    packages = next(
        path for path in map(Path, environment.path) if path.is_relative_to(prefix)
    )
    for floor in _FLOORS:
        (packages / floor).symlink_to(_ROOT / floor, target_is_directory=True)
    config = HubConfig.load()
    installer = open_installer(config.installer, offline=config.offline)
    requests = {OperatorName.parse(_DISTRIBUTION): list(_own_requirements())}
    plan = installer.plan(requests, environment, sdists=())
    installer.install(plan.pins, environment, sdists=())


def _install(
    operator: Path, manifest: Manifest, environment: Environment, source: Path
) -> None:
    name = manifest.name
    shutil.copytree(operator, source / name.namespace / name.name)
    spec = f"dir:{source}"
    config = HubConfig.load(sources={str(name): spec})
    # The author runs it anyway; what it requires is trusted as everywhere.
    trusted = (*config.trusted, spec)
    narrowed = None if config.narrowed is None else (*config.narrowed, spec)
    config = replace(config, trusted=trusted, narrowed=narrowed)
    project = find_project_file(Path.cwd())
    directory = project and project.parent
    router = SourceRouter.configured(config, directory=directory)
    store = Store(config.cache_dir / "store")
    installer = Installer(environment, store, router, config, directory=directory)
    wanted = Requirement(name, SpecifierSet(f"=={manifest.version}"))
    installer.apply(installer.plan([wanted], prerelease=True))


def _own_requirements() -> Iterable[PackageRequirement]:
    """What this distribution requires without its extras."""
    try:
        lines = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        import tomllib  # noqa: PLC0415  (only in a checkout that is not installed)

        project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        lines = project["project"]["dependencies"]
    for line in lines:
        requirement = PackageRequirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement
