from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from servers.operator_files import OperatorFolder

    from tests.hub_client.cli.conftest import Hub

Into = tuple[str, str]


def git(*words: str) -> int:
    return subprocess.run(["git", *words], check=False, capture_output=True).returncode


def commit(branch: str) -> None:
    git("checkout", "-q", "-B", branch)
    git("add", "hub.toml", "hub.lock")
    assert git("commit", "-q", "-m", branch) == 0


@pytest.mark.slow  # takes more than a second
def test_a_lock_with_an_unfinished_merge_is_repaired_and_keeps_what_was_pinned(
    hub: Hub, shelf: OperatorFolder, into: Into
) -> None:
    for name in ("acme/blur", "acme/embed", "acme/crop"):
        shelf.publish(name, "1.0.0")
    git("init", "-q", "-b", "main")
    hub.said("add", "acme/embed", *into)
    commit("main")
    hub.said("add", "acme/blur", *into)
    commit("theirs")
    git("checkout", "-q", "main")
    hub.said("add", "acme/crop", *into)
    commit("ours")
    assert git("merge", "-q", "theirs") == 1
    for name in ("acme/blur", "acme/embed", "acme/crop"):
        shelf.publish(name, "1.1.0")
    operators = '["acme/blur", "acme/embed", "acme/crop"]'
    Path("hub.toml").write_text(f"operators = {operators}\n", encoding="utf-8")
    done = hub("lock", "--json")
    assert "an unfinished merge left `<<<<<<<`" in done.stderr
    assert "\nWhat either side pins is kept where it fits\n" in done.stderr
    assert json.loads(done.stdout)["operators"] == dict.fromkeys(
        ("acme/blur", "acme/embed", "acme/crop"), "1.0.0"
    )
    # The merge brought nothing that neither side had.
    assert json.loads(done.stdout)["changes"] == []
    assert hub("lock", "--check").returncode == 0
    shutil.rmtree(".git")
