from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from servers.git_repository import GitRepository
from servers.operator_files import OperatorFolder
from servers.python_packages import PackageFolder, make_environment

if TYPE_CHECKING:
    from pathlib import Path

    from hub_client.environment import Environment


@pytest.fixture
def python_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackageFolder:
    """All packages there are: the user's uv and pip are configured to look there."""
    folder = tmp_path / "python-packages"
    folder.mkdir()
    settings = tmp_path / "settings" / "uv" / "uv.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f'[pip]\nno-index = true\nfind-links = ["{folder}"]\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return PackageFolder(folder)


@pytest.fixture
def target(tmp_path: Path) -> Environment:
    """A new virtual environment."""
    return make_environment(tmp_path / "target")


@pytest.fixture
def operators(tmp_path: Path) -> OperatorFolder:
    """A publisher's folder of operators, still empty."""
    folder = tmp_path / "operators"
    folder.mkdir()
    return OperatorFolder(folder)


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    """A publisher's git repository of one operator, still empty."""
    folder = tmp_path / "repositories"
    folder.mkdir(exist_ok=True)
    return GitRepository.create(folder / "embed.git")
