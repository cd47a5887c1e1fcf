from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from hub_client.config import HubConfig

if TYPE_CHECKING:
    from tests.hub_client.cli.conftest import Hub


def test_trust_is_given_listed_and_taken_back(hub: Hub) -> None:
    added = hub("trust", "add", "dir:operators")
    entry = f"dir:{Path('operators').absolute()}"
    assert (added.returncode, added.stdout) == (0, "")
    assert added.stderr == f"`{entry}` is trusted\n"
    assert hub("trust", "list").stdout == f"{entry}\n"
    assert json.loads(hub("trust", "list", "--json").stdout) == [
        {"source": entry, "signers": []}
    ]
    assert (
        hub("trust", "remove", entry).stderr == f"`{entry}` is not trusted any more\n"
    )
    assert hub("trust", "list").stderr == "No source is trusted besides `bundled`\n"


def test_removing_what_is_not_trusted_says_what_is(hub: Hub) -> None:
    hub("trust", "add", "git+https://git.acme.example/")
    done = hub("trust", "remove", "git+https://git.acme.example/one.git")
    assert done.returncode == 1
    assert done.stderr == (
        "error: `git+https://git.acme.example/one.git` is not trusted as such\n"
        "\n"
        "hint: Trusted are `git+https://git.acme.example/`\n"
    )


def test_an_entry_that_is_no_source_is_listed_and_can_be_removed(hub: Hub) -> None:
    file = HubConfig.load().config_dir / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('trusted = ["git+", "hf:acme"]\n', encoding="utf-8")
    assert hub.result("trust", "list") == "git+\nhf:acme\n"
    assert hub.said("trust", "remove", "git+") == "`git+` is not trusted any more\n"
    assert hub.result("trust", "list") == "hf:acme\n"
