"""A version from its author's folder to another machine, by the commands alone."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.git_servers import serve_http
from servers.operator_files import operator_files, write_files
from servers.python_packages import make_environment

from hub_client.tree_digest import tree_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.git_repository import GitRepository
    from servers.hugging_face import HuggingFaceServer

    from tests.hub_client.cli.conftest import Hub

PAGES = {"README.md": b"# Echo\n", "LICENSE": b"Apache License\n"}
WEIGHTS = {"model.safetensors": bytes(range(256)) * 8192}


@pytest.fixture
def work() -> Path:
    """The author's folder, at version 1.0.0."""
    return write("1.0.0")


def write(version: str) -> Path:
    files = operator_files("acme/embed", version)
    return write_files(Path("work"), {**files, **PAGES})


@pytest.fixture(
    params=[
        "file",
        pytest.param("http", marks=pytest.mark.slow),
        pytest.param("hf", marks=pytest.mark.slow),
    ]
)
def address(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Where to publish, by each way in turn."""
    if request.param == "hf":
        server: HuggingFaceServer = request.getfixturevalue("hugging_face")
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        yield "hf:acme/embed"
        return
    repository: GitRepository = request.getfixturevalue("repository")
    if request.param == "file":
        yield f"git+{repository.url}"
        return
    repository.git("config", "http.receivepack", "true")
    with serve_http(repository.path.parent) as server:
        yield f"git+{server.url}/{repository.path.name}"


@dataclass(frozen=True, slots=True)
class Machine:
    """Another machine: nothing of the author's is in its caches or environments."""

    hub: Hub
    home: Path

    def run(self, *words: object) -> str:
        variables = {
            name: str(self.home / name.lower())
            for name in ("HUB_CACHE_DIR", "HUB_CONFIG_DIR", "HF_HOME", "HOME")
        }
        done = self.hub(*words, **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout


def test_what_is_published_is_installed_by_name_elsewhere_and_locked(
    hub: Hub, work: Path, address: str, tmp_path: Path
) -> None:
    write_files(work, WEIGHTS)
    hub.said("check", work)
    done = hub("publish", work, "--to", address, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    published = json.loads(done.stdout)
    assert published["files"][2] == {"path": "echo/__init__.py", "size": 169}

    machine = Machine(hub, tmp_path / "machine")
    machine.home.mkdir()
    prefix = make_environment(machine.home / "venv").prefix
    Path("project").mkdir()
    os.chdir("project")
    Path("hub.toml").write_text(f'operators = []\n[sources]\n"acme/*" = "{address}"\n')
    machine.run("trust", "add", address)
    machine.run("install", "acme/embed", "--python", prefix)
    machine.run("lock", "--check")
    receipt = json.loads(machine.run("list", "--json", "--python", prefix))[0]
    assert (receipt["version"], receipt["revision"]) == ("1.0.0", published["commit"])
    assert receipt["tree"] in Path("hub.lock").read_text()
    if not address.startswith("hf:"):
        assert receipt["tree"] == tree_digest(Path("..") / work)


def told(address: str) -> str:
    return (
        f"acme/embed 1.0.0 to `{address}` as tag `v1.0.0`\n"
        "  LICENSE           15 B\n"
        "  README.md         7 B\n"
        "  echo/__init__.py  169 B\n"
        "  operator.yaml     194 B\n"
        "4 files, 385 B\n"
    )


def test_the_files_are_shown_and_nothing_is_published_unasked(
    hub: Hub, work: Path, repository: GitRepository
) -> None:
    address = f"git+{repository.url}"
    done = hub("publish", work, "--to", address)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"{told(address)}"
        "error: What is published cannot be taken back, and nobody is here to ask\n\n"
        "hint: Pass `--yes`, or look first with `--dry-run`\n"
    )
    assert hub.result("publish", work, "--to", address, "--dry-run") == told(address)
    assert repository.git("for-each-ref") == ""


def test_files_that_go_are_listed_before_anybody_is_asked(
    hub: Hub, work: Path, repository: GitRepository
) -> None:
    address = f"git+{repository.url}"
    manifest = operator_files("acme/embed", "0.9.0")["operator.yaml"]
    repository.release("0.9.0", {"operator.yaml": manifest, "large/old.bin": b""})
    words = ("publish", work, "--no-run", "--to", address, "--dry-run")
    assert "\n- large/old.bin     removed\n4 files, 385 B\n" in hub.result(*words)
    done = json.loads(hub.result(*words, "--json"))
    assert done["removed"] == ["large/old.bin"]


def test_what_was_published_is_said_and_how_others_get_it(
    hub: Hub, work: Path, repository: GitRepository
) -> None:
    address = f"git+{repository.url}"
    done = hub.said("publish", work, "--to", address, "--yes")
    commit = repository.git("rev-parse", "v1.0.0")
    assert done == (
        f"{told(address)}"
        "Publishing acme/embed\n"
        f"Published acme/embed 1.0.0 as commit {commit[:12]}\n\n"
        f"hint: Others install it with `hub install acme/embed --source {address}`\n"
    )
    staging = Path(os.environ["HUB_CACHE_DIR"], "store", "staging")
    assert list(staging.iterdir()) == []


def test_a_new_repository_is_announced(
    hub: Hub,
    work: Path,
    hugging_face: HuggingFaceServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hugging_face.url)
    for warned in (True, False):
        done = hub("publish", work, "--to", "hf:acme/embed")
        assert done.returncode == 1
        warning = "warning: `hf:acme/embed` will be made, and be public\n"
        assert (warning in done.stderr) is warned
        if warned:
            hugging_face.create("acme/embed")


def test_what_a_killed_publication_left_is_cleared_by_the_next(
    hub: Hub, work: Path, repository: GitRepository
) -> None:
    staging = Path(os.environ["HUB_CACHE_DIR"], "store", "staging")
    (staging / "killed" / "files").mkdir(parents=True)
    hub("publish", work, "--to", f"git+{repository.url}", "--dry-run")
    assert list(staging.iterdir()) == []


def test_a_source_that_nobody_can_publish_to_is_refused(hub: Hub, work: Path) -> None:
    assert hub.refused("publish", work, "--to", "bundled") == (
        "error: expected a repository to publish to, got 'bundled'\n\n"
        "hint: Write `git+URL` or `hf:ORG/REPO`\n"
    )


def test_offline_nothing_is_published(hub: Hub, work: Path) -> None:
    assert hub.refused("publish", work, "--to", "hf:acme/embed", "--offline") == (
        "error: Offline, and publishing takes the network\n\n"
        "hint: Run again without `--offline`, or with HUB_OFFLINE=0\n"
    )


def test_a_yanked_version_is_passed_over_until_it_is_offered_again(
    hub: Hub, address: str, into: tuple[str, str]
) -> None:
    for version in ("1.0.0", "1.1.0"):
        hub("publish", write(version), "--to", address, "--yes", "--quiet")
    install = ("install", "acme/embed", "--source", address, "--trust-once")
    yank = ("yank", "acme/embed==1.1.0", "--at", address)
    untold = "warning: users are told no reason there, but `withdrawn by its publisher`"
    assert hub.said(*yank, "--reason", "swaps red and blue") == (
        f"{untold}\n" * address.startswith("hf:")
        + f"acme/embed 1.1.0 is yanked at `{address}`\n"
    )
    assert "+ acme/embed 1.0.0\n" in hub(*install, "--dry-run", *into).stdout
    assert hub.said(*yank) == f"acme/embed 1.1.0 is yanked already at `{address}`\n"
    assert hub.said(*yank, "--undo") == (
        f"acme/embed 1.1.0 is offered again at `{address}`\n"
    )
    assert "+ acme/embed 1.1.0\n" in hub(*install, "--dry-run", *into).stdout


def test_the_reason_is_told_to_who_asks_for_the_version(
    hub: Hub, repository: GitRepository, into: tuple[str, str]
) -> None:
    address = f"git+{repository.url}"
    hub("publish", write("1.0.0"), "--to", address, "--yes")
    hub("yank", "acme/embed==1.0.0", "--at", address, "--reason", "swaps red and blue")
    words = ("install", "acme/embed", "--source", address, "--trust-once", *into)
    reason = "acme/embed 1.0.0 was yanked: swaps red and blue"
    assert reason in hub.refused(*words)
    words = ("acme/embed==1.0.0", *words[2:])
    assert f"warning: {reason}\n" in hub("install", *words, "--dry-run").stderr
    Path("hub.toml").write_text("", encoding="utf-8")
    done = hub("add", *words)
    assert done.returncode == 0
    assert done.stderr.count(f"warning: {reason}\n") == 1
    done = hub("sync", *words[3:])
    assert (done.returncode, "yanked" in done.stderr) == (0, False)


def test_a_version_is_not_yanked_where_nobody_says_that_it_is(hub: Hub) -> None:
    assert hub.refused("yank", "acme/embed==1.0.0") == (
        "error: Configuration does not say where acme/embed is published\n\n"
        "hint: Say where with `--at git+URL` or `--at hf:ORG/REPO`\n"
    )
    assert hub.refused("yank", "acme/embed==1.0.0", "--at", "bundled") == (
        "error: Nobody publishes acme/embed to `bundled`, which ships with hub\n\n"
        "hint: Say where with `--at git+URL` or `--at hf:ORG/REPO`\n"
    )


def test_a_version_that_is_offered_again_has_no_reason(hub: Hub) -> None:
    done = hub("yank", "acme/embed==1.0.0", "--undo", "--reason", "mended")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "error: Invalid value: `--reason` says why a version is yanked, and `--undo` "
        "takes none\n"
    )


def test_a_version_that_is_not_there_is_not_yanked(
    hub: Hub, work: Path, repository: GitRepository
) -> None:
    address = f"git+{repository.url}"
    hub("publish", work, "--to", address, "--yes")
    assert hub.refused("yank", "acme/embed==2.0.0", "--at", address) == (
        f"error: acme/embed 2.0.0 is not published at `{address}`\n\n"
        "hint: Published is 1.0.0\n"
    )
    assert hub.refused("yank", "acme/embed", "--at", address) == (
        "error: expected a name and one version, got 'acme/embed'\n\n"
        "hint: Write `acme/embed==1.0.0`\n"
    )
