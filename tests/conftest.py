"""Every test runs with a home, a cache and a configuration of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from pathlib import Path

# No example database: tests leave nothing behind. No deadline: two busy cores are slow.
settings.register_profile("hub", database=None, deadline=None)
settings.load_profile("hub")


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for variable, value in {
        "HOME": home,
        "HF_HOME": home / "huggingface",
        "HUB_CACHE_DIR": home / "cache",
        "HUB_CONFIG_DIR": home / "config",
        "UV_CACHE_DIR": home / "uv",
        "PIP_CACHE_DIR": home / "pip",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_AUTHOR_NAME": "Test",
        "GIT_AUTHOR_EMAIL": "test@example.org",
        "GIT_COMMITTER_NAME": "Test",
        "GIT_COMMITTER_EMAIL": "test@example.org",
    }.items():
        monkeypatch.setenv(variable, str(value))
    for variable in ("HUB_OFFLINE", "HUB_INSTALL", "HUB_INSTALLER", "HF_ENDPOINT"):
        monkeypatch.delenv(variable, raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
