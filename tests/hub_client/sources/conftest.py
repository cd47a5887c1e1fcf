from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from servers.git_repository import GitRepository
from servers.git_servers import SSHD, serve_git, serve_http, serve_ssh

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.git_servers import GitHttpServer


@pytest.fixture
def repositories(tmp_path: Path) -> Path:
    folder = tmp_path / "repositories"
    folder.mkdir()
    return folder


@pytest.fixture
def embed(repositories: Path) -> GitRepository:
    """The publisher's repository of ``acme/embed``, still empty."""
    return GitRepository.create(repositories / "embed.git")


@pytest.fixture
def http(repositories: Path) -> Iterator[GitHttpServer]:
    with serve_http(repositories) as server:
        yield server


@pytest.fixture(params=["file", "git", "http", "ssh"])
def url(
    request: pytest.FixtureRequest,
    repositories: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """The address of the repositories' folder, over each protocol in turn."""
    if request.param == "file":
        yield f"file://{repositories}"
    elif request.param == "git":
        with serve_git(repositories) as address:
            yield address
    elif request.param == "http":
        yield request.getfixturevalue("http").url
    elif not SSHD.exists():
        pytest.skip(f"there is no {SSHD}: apt-get install openssh-server")
    else:
        with serve_ssh(tmp_path / "ssh") as (address, client):
            monkeypatch.setenv("GIT_SSH_COMMAND", client)
            yield f"{address}{repositories}"
