"""What tests share: real servers, and a wheel of this distribution."""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir
from installation import build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.hugging_face import HuggingFaceServer

# Who starts the tests in the background may have them ignore Ctrl-C, and children would
# inherit that: here every process takes it as at a terminal.
signal.signal(signal.SIGINT, signal.default_int_handler)

# As for most users, bytecode is written: a process that compiles torch again for itself
# takes more than twice as long to start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Ray, torch and processes that are killed leave files where temporary ones lie: a folder
# that goes with the run. Its name is short, as sockets lie below it, also where several
# processes share the tests, whose folders lie in one; what pytest keeps of tests that
# failed stays where it always is.
_SHARED = "PYTEST_XDIST_WORKER" in os.environ
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
_temporary = TemporaryDirectory(
    prefix="" if _SHARED else "hub-tests-", ignore_cleanup_errors=True
)
os.environ["TMPDIR"] = tempfile.tempdir = _temporary.name
os.environ["RAY_TMPDIR"] = _temporary.name
# What torch's compiler precompiles of C++ serves all processes, as it does a user's.
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path(_temporary.name, "inductor")))

# Without it, Ray writes one into the home of whoever starts it first in a process, and
# looks for it in the home of whoever starts it next.
os.environ["RAY_AUTH_TOKEN"] = token_hex()

# Vectors are compared to the bit, as one processor gives them, on machines with a GPU too;
# `make test-gpu` runs what is for those.
if "HUB_TEST_GPU" not in os.environ:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""

# Hypothesis keeps what it learns there, too. No deadline: two busy cores are slow.
set_hypothesis_home_dir(_temporary.name)
settings.register_profile("hub", database=None, deadline=None)
settings.load_profile("hub")


def pytest_collection_finish() -> None:
    """Spare the collector what was imported: tests that ask for it wait for it."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Take away what is left of the run."""
    # Some libraries complain at exit about what was kept from the collector.
    gc.unfreeze()
    _temporary.cleanup()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The distribution's wheel, built once."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def package_cache() -> Path:
    """One cache of Python packages for all tests that install from the registry.

    Processes that share the tests share it, too: torch and its like are fetched once. It
    takes gigabytes, and so goes with the run even where tests failed.
    """
    folder = Path(_temporary.name)
    if _SHARED:
        folder = folder.parent
    (folder / "packages").mkdir(exist_ok=True)
    return folder / "packages"


@pytest.fixture
def hugging_face(tmp_path: Path) -> Iterator[HuggingFaceServer]:
    """An empty Hugging Face-compatible server on 127.0.0.1."""
    from servers.hugging_face import HuggingFaceServer  # noqa: PLC0415  (half a second)

    with HuggingFaceServer(tmp_path / "hugging-face") as server:
        yield server
