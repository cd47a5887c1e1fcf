"""What tests share: real servers, and a wheel of this distribution."""

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
