"""Publishing, killed at any moment: a version is there complete, or not at all."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.operator_files import operator_files, write_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers.git_repository import GitRepository
    from servers.hugging_face import HuggingFaceServer

    from tests.hub_client.cli.conftest import Hub

KILLS = 12
PAGES = {"README.md": b"# Echo\n", "LICENSE": b"Apache License\n"}
WEIGHTS = {"model.safetensors": bytes(range(256)) * 8192}


def killed_again_and_again(
    hub: Hub, address: str, files_at: Callable[[str], set[str]]
) -> None:
    """Publish a version after another; kill each once, look, and publish it whole.

    :param files_at: paths at a tag; none if there is no such tag.
    """
    words = hub.words("publish", "work", "--to", address, "--yes", "--no-progress")
    moment = random.Random(7)  # noqa: S311  (the same moments each time)
    usual = 1.0
    for patch in range(KILLS):
        files = {**operator_files("acme/embed", f"1.0.{patch}"), **PAGES, **WEIGHTS}
        write_files(Path("work"), files)
        tag = f"v1.0.{patch}"
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
            time.sleep(moment.uniform(0.1, usual))
            process.kill()
        assert files_at(tag) in (set(), set(files))
        started = time.monotonic()
        done = hub("publish", "work", "--to", address, "--yes")
        usual = time.monotonic() - started
        assert done.returncode == 0 or "is published already" in done.stderr
        assert files_at(tag) == set(files)


@pytest.mark.slow
def test_git_has_a_version_whole_or_not_at_all(
    hub: Hub, repository: GitRepository
) -> None:
    def files_at(tag: str) -> set[str]:
        if not repository.git("tag", "--list", tag):
            return set()
        return set(repository.git("ls-tree", "-r", "--name-only", tag).splitlines())

    killed_again_and_again(hub, f"git+{repository.url}", files_at)
    assert repository.git("fsck", "--strict") == ""


@pytest.mark.slow
def test_hugging_face_has_a_version_whole_or_not_at_all(
    hub: Hub, hugging_face: HuggingFaceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hugging_face.url)
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    hugging_face.create("acme/embed")
    repository = hugging_face.repository("acme/embed")

    def files_at(tag: str) -> set[str]:
        if not repository.git("tag", "--list", tag):
            return set()
        return {entry.path for entry in repository.entries(tag)} - {".gitattributes"}

    killed_again_and_again(hub, "hf:acme/embed", files_at)
