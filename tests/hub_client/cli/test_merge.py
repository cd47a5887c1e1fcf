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


def test_a_merged_lock_at_odds_with_itself_is_repaired_and_keeps_what_fits(
    hub: Hub, shelf: OperatorFolder, into: Into
) -> None:
    shelf.publish("acme/blur", "1.0.0")
    shelf.publish("acme/crop", "1.0.0")
    shelf.publish("acme/embed", "1.0.0", operators=["acme/crop"])
    asked = ("acme/blur", "acme/embed")
    hub.said("add", *asked, *into)
    ours = Path("hub.lock").read_text(encoding="utf-8")
    for name in asked:
        shelf.publish(name, "1.1.0", operators=["acme/crop"])
    # As if git had taken this line of the other branch.
    theirs = ours.replace('["acme/crop"]', '["acme/crop<1"]')
    Path("hub.lock").write_text(theirs, encoding="utf-8")
    problem = "acme/embed 1.0.0 requires `acme/crop<1`, and the lock has 1.0.0"
    assert hub.refused("sync", "--locked", *into) == (
        f"error: `hub.lock` does not read\n  {problem}\n\n"
        "hint: Run `hub lock`: what it pins is kept where it fits\n"
    )
    assert hub.said("lock") == (
        f"warning: `hub.lock` does not read\n  {problem}\n"
        "What it pins is kept where it fits\nLocking\nWrote `hub.lock`\n"
    )
    assert Path("hub.lock").read_text(encoding="utf-8") == ours


def test_a_side_of_a_later_format_is_not_replaced(
    hub: Hub, shelf: OperatorFolder, into: Into
) -> None:
    shelf.publish("acme/blur", "1.0.0")
    hub.said("add", "acme/blur", *into)
    lock = Path("hub.lock")
    formats = "<<<<<<< ours\nversion = 1\n=======\nversion = 2\n>>>>>>> theirs\n"
    text = lock.read_text(encoding="utf-8").replace("version = 1\n", formats, 1)
    lock.write_text(text, encoding="utf-8")
    assert hub.refused("lock") == (
        "error: `hub.lock` does not read\n"
        "  format 2 was written by a newer hub; this one reads 1\n\n"
        "hint: Upgrade `towhee-hub`\n"
    )
    assert lock.read_text(encoding="utf-8") == text
