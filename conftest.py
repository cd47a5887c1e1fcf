"""Every test, those in docstrings too, has a home, cache and configuration of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    temporary = home / "tmp"
    temporary.mkdir(parents=True)
    for variable, value in {
        "HOME": home,
        # What a killed child leaves goes with the test's own folder.
        "TMPDIR": temporary,
        "HF_HOME": home / "huggingface",
        "HUB_CACHE_DIR": home / "cache",
        "HUB_CONFIG_DIR": home / "config",
        # What a busy machine measures decides no test but those of measuring.
        "HUB_TUNE": "never",
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


@pytest.fixture(autouse=True)
def _examples(request: pytest.FixtureRequest) -> None:
    """Examples of collections need not say where the class is from."""
    if isinstance(request.node, pytest.DoctestItem):
        from towhee import DataCollection, pipe  # noqa: PLC0415  (for these alone)

        names: dict[str, Any] = request.getfixturevalue("doctest_namespace")
        names["DataCollection"] = DataCollection
        names["pipe"] = pipe
