"""Every test runs with a home, a cache and a configuration of its own."""

from __future__ import annotations

import signal
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir
from installation import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.hugging_face import HuggingFaceServer

# Who starts the tests in the background may have them ignore Ctrl-C, and children would
# inherit that: here every process takes it as at a terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Hypothesis keeps what it learns in a folder that goes with the run. No deadline: two
# busy cores are slow.
_hypothesis_home = TemporaryDirectory(prefix="hypothesis-")
set_hypothesis_home_dir(_hypothesis_home.name)
settings.register_profile("hub", database=None, deadline=None)
settings.load_profile("hub")


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


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The distribution's wheel, built once."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def package_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of Python packages for all tests that install from the registry."""
    return tmp_path_factory.mktemp("packages")


@pytest.fixture
def hugging_face(tmp_path: Path) -> Iterator[HuggingFaceServer]:
    """An empty Hugging Face-compatible server on 127.0.0.1."""
    from servers.hugging_face import HuggingFaceServer  # noqa: PLC0415  (half a second)

    with HuggingFaceServer(tmp_path / "hugging-face") as server:
        yield server
