"""Ctrl-C and kill -9 in an install that a slow server holds up."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from hub_client.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.operator_files import OperatorFolder
    from servers.python_packages import PackageFolder

    from hub_client.environment import Environment
    from tests.hub_client.cli.conftest import Hub


class StalledServer:
    """Takes connections on 127.0.0.1 and never answers."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked = threading.Event()
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for each in (*self._connections, self._listener):
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._connections.append(self._listener.accept()[0])
                self.asked.set()


@pytest.fixture
def stalled() -> Iterator[StalledServer]:
    with StalledServer() as server:
        yield server


def stop(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send what a terminal sends: to the command and whatever it started."""
    os.killpg(process.pid, number)


def start(hub: Hub, *words: object, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        hub.words(*words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
        start_new_session=True,
    )


@pytest.fixture
def publisher(shelf: OperatorFolder, python_packages: PackageFolder) -> OperatorFolder:
    """``acme/blur``, which needs a Python package."""
    python_packages.add("hub-tensor", "2.0")
    shelf.publish("acme/blur", "1.0.0", packages=["hub-tensor"])
    return shelf


@pytest.fixture(params=["uv", "pip", "git"])
def slow(
    request: pytest.FixtureRequest,
    stalled: StalledServer,
    publisher: OperatorFolder,
    target: Environment,
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Words and variables of an install that stalls in each program in turn."""
    words = ("install", "acme/blur", "--python", str(target.prefix))
    if request.param == "git":
        source = f"git+{stalled.url}/blur.git"
        return (*words, "--source", source, "--trust-once"), {}
    pages = {"UV_FIND_LINKS": stalled.url, "PIP_FIND_LINKS": stalled.url}
    return words, {"HUB_INSTALLER": request.param, **pages}


@pytest.mark.slow  # takes more than a second
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_install_leaves_nothing_and_the_next_one_works(
    hub: Hub,
    stalled: StalledServer,
    slow: tuple[tuple[str, ...], dict[str, str]],
    target: Environment,
    number: signal.Signals,
) -> None:
    words, variables = slow
    with start(hub, *words, **variables) as process:
        assert stalled.asked.wait(30)
        stop(process, number)
        out, said = process.communicate(timeout=30)
    if number == signal.SIGINT:
        assert (process.returncode, out) == (130, "")
        assert said == "\nInterrupted; nothing half done is kept\n"
    else:
        assert process.returncode == -signal.SIGKILL
    assert (target.receipts(), target.installed_packages()) == ((), {})
    hub.said("install", "acme/blur", "--python", target.prefix)
    assert target.installed_packages() == {"hub-tensor": "2.0"}


@pytest.mark.usefixtures("publisher")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("moment", ["Fetching", "Installing"])
def test_stopping_it_while_it_works_shows_nothing_half_done(
    hub: Hub,
    target: Environment,
    *,
    moment: str,
    number: signal.Signals,
) -> None:
    words = ("install", "acme/blur", "--python", target.prefix)
    with start(hub, *words) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(moment):
                break
        with contextlib.suppress(ProcessLookupError):
            stop(process, number)
        process.wait(30)
    for receipt in target.receipts():
        Store(Path(os.environ["HUB_CACHE_DIR"], "store")).verify(receipt.tree)
        assert target.installed_packages() == {"hub-tensor": "2.0"}
    hub.said(*words)
    assert [str(each.name) for each in target.receipts()] == ["acme/blur"]
    assert target.installed_packages() == {"hub-tensor": "2.0"}
    module = "import hub_tensor; print(hub_tensor.VERSION)"
    imported = subprocess.run(
        [target.python, "-c", module], capture_output=True, text=True, check=True
    )
    assert imported.stdout == "2.0\n"
