from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

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
