"""Twenty at once: each is right, and each tree is fetched once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.git_repository import GitRepository
from servers.git_servers import serve_http
from servers.operator_files import operator_files
from servers.python_packages import PackageFolder, make_environment

from hub_client.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.git_servers import GitHttpServer

    from hub_client.environment import Environment

ROOT = Path(__file__).parents[2]
CROWD = 20
NAMES = ["acme/blur", "acme/embed"]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHttpServer]:
    """A git server that the user trusts; ``acme/embed`` needs ``acme/blur``."""
    packages = PackageFolder(tmp_path / "packages")
    packages.path.mkdir()
    packages.add("hub-tensor", "1.0")
    settings = tmp_path / "settings" / "uv"
    settings.mkdir(parents=True)
    (settings / "uv.toml").write_text(
        f'[pip]\nno-index = true\nfind-links = ["{packages.path}"]\n'
    )
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    folder = tmp_path / "repositories"
    folder.mkdir()
    blur = operator_files("acme/blur", "1.0.0", packages=["hub-tensor"])
    embed = operator_files("acme/embed", "1.0.0", operators=["acme/blur"])
    GitRepository.create(folder / "blur.git").release("1.0.0", blur)
    GitRepository.create(folder / "embed.git").release("1.0.0", embed)
    with serve_http(folder) as running:
        config = Path(os.environ["HUB_CONFIG_DIR"])
        config.mkdir()
        (config / "config.toml").write_text(
            f'trusted = ["git+{running.url}/"]\n[sources]\n'
            f'"acme/*" = "git+{running.url}/{{name}}.git"\n'
        )
        yield running


def install(environments: list[Environment], folder: Path) -> list[str]:
    """Start them all before the first is done; what those that failed said."""
    words = [sys.executable, "-m", "hub_client.cli", "install", "acme/embed"]
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(
                    [*words, "--python", each.prefix, "--no-progress"],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                    cwd=folder,
                )
            )
            for each in environments
        ]
        said = [process.communicate()[1] for process in started]
    ended = zip(started, said, strict=True)
    return [text for process, text in ended if process.returncode]


def check(environment: Environment) -> None:
    store = Store(Path(os.environ["HUB_CACHE_DIR"], "store"))
    receipts = environment.receipts()
    assert [str(each.name) for each in receipts] == NAMES
    assert [each.requested for each in receipts] == [False, True]
    for each in receipts:
        store.verify(each.tree)
    assert environment.installed_packages() == {"hub-tensor": "1.0"}
    assert list((store.root / "staging").iterdir()) == []


def transfers(server: GitHttpServer) -> dict[str, int]:
    """How often each repository sent a commit's objects."""
    return {
        name: server.packs_sent.count(f"/{name}.git/git-upload-pack")
        for name in ("blur", "embed")
    }


@pytest.mark.slow
def test_twenty_installs_into_one_environment_are_all_right(
    server: GitHttpServer, tmp_path: Path
) -> None:
    target = make_environment(tmp_path / "target")
    assert install([target] * CROWD, tmp_path) == []
    check(target)
    assert transfers(server) == {"blur": 1, "embed": 1}


@pytest.mark.slow
def test_twenty_installs_into_twenty_environments_fetch_each_tree_once(
    server: GitHttpServer, tmp_path: Path
) -> None:
    targets = [make_environment(tmp_path / f"target-{each}") for each in range(CROWD)]
    assert install(targets, tmp_path) == []
    for target in targets:
        check(target)
    assert transfers(server) == {"blur": 1, "embed": 1}


@pytest.mark.slow
@pytest.mark.parametrize("word", ["prune", "clean"])
def test_removing_all_the_time_breaks_no_install(
    server: GitHttpServer, tmp_path: Path, word: str
) -> None:
    targets = [make_environment(tmp_path / f"target-{each}") for each in range(4)]
    done = threading.Event()
    ended: list[int] = []

    def remove() -> None:
        words = [sys.executable, "-m", "hub_client.cli", "cache", word, "--quiet"]
        while not done.is_set():
            ended.append(subprocess.run(words, check=False, cwd=tmp_path).returncode)

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        assert install(targets, tmp_path) == []
    finally:
        done.set()
        remover.join()
    assert ended.count(0) == len(ended) > 0
    for target in targets:
        check(target)
    assert transfers(server)["blur"] >= 1
