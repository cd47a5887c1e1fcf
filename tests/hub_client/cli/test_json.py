"""What commands print with ``--json`` is what the page on JSON promises."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from docs.json_shapes import differences, read_shapes
from servers.git_repository import GitRepository
from servers.operator_files import operator_files, write_files
from servers.vulnerabilities import serve_vulnerabilities

import towhee.cli  # noqa: F401  (adds `hub run`)
from hub_client.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.operator_files import OperatorFolder
    from servers.python_packages import PackageFolder

    from tests.hub_client.cli.conftest import Hub

SHAPES = read_shapes()


def commands(group: Any, *words: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *words, name)
        else:
            yield " ".join((*words, name)), command


def test_the_page_has_a_shape_for_each_command_that_prints_json() -> None:
    printing = {
        name
        for name, command in commands(typer.main.get_command(app))
        if any("--json" in each.opts for each in command.params)
    }
    assert printing == SHAPES.keys()


@pytest.mark.parametrize(
    ("shape", "value", "found"),
    [
        ({"a": 1}, {"a": 2.5}, []),
        ({"a": 1}, {"a": True}, ["value.a is True"]),
        ({"a": "or null"}, {"a": None}, []),
        ({"a": "x"}, {"b": "x"}, ["value has the keys ['b'], not ['a']"]),
        ({"NAME": "x"}, {"b": 1}, ["value.b is 1"]),
        ([{"a": "x"}], [{"a": None}], ["value[0].a is None"]),
        (["x"], {}, ["value is no list"]),
    ],
)
def test_a_shape_tells_what_differs(shape: Any, value: Any, found: list[str]) -> None:  # noqa: ANN401
    assert list(differences(shape, value)) == found


class Printed:
    """Runs commands, and compares what they print with the page."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def __call__(self, name: str, *words: object, status: int = 0) -> Any:  # noqa: ANN401
        done = self._hub(*name.split(), *words, "--json")
        assert done.returncode == status, done.stderr
        value = json.loads(done.stdout)
        assert list(differences(SHAPES[name], value)) == []
        return value


@pytest.fixture
def printed(hub: Hub) -> Printed:
    return Printed(hub)


@pytest.mark.slow
def test_what_a_project_prints_is_as_promised(
    hub: Hub,
    printed: Printed,
    shelf: OperatorFolder,
    python_packages: PackageFolder,
    into: tuple[str, str],
) -> None:
    python_packages.add("hub-tensor", "2.0")
    shelf.publish("acme/blur", "1.0.0", packages=["hub-tensor>=2"])
    shelf.publish("acme/embed", "1.0.0", operators=["acme/blur"])
    assert printed("add", "acme/embed", "--dry-run", *into)["dry_run"]
    assert printed("add", "acme/embed", *into)["packages"]
    assert printed("lock", "--check") == {
        "operators": {"acme/blur": "1.0.0", "acme/embed": "1.0.0"},
        "packages": 1,
        "changes": [],
    }
    assert len(printed("list", *into)) == 2
    assert printed("search", "embed")[0]["name"] == "acme/embed"
    assert printed("search", "nothing-like-it", status=1) == []
    assert printed("info", "acme/embed", *into)["installed"]["requested"]
    assert printed("tree")["acme/embed"]["requested"]
    assert len(printed("why", "hub-tensor")[0]) == 3
    shelf.publish("acme/embed", "1.1.0", operators=["acme/blur"])
    assert [each["newest"] for each in printed("outdated")] == ["1.1.0"]
    assert printed("export", "--format", "sbom")["text"]
    assert printed("verify", *into)["receipts"] == 2
    assert printed("lock", "--upgrade")["changes"] == [
        {
            "action": "change",
            "kind": "operator",
            "name": "acme/embed",
            "version": "1.1.0",
            "locked": "1.0.0",
            "space": [],
        }
    ]
    with serve_vulnerabilities({("hub-tensor", "2.0"): "HUB-2026-1"}) as service:
        assert printed("audit", "--service-url", service, status=1)["findings"]
    assert printed("env", *into)["operators"]
    assert printed("trust list") == [{"source": shelf.spec, "signers": []}]
    assert printed("cache dir")["path"] == os.environ["HUB_CACHE_DIR"]
    assert printed("cache size")["size"] > 0
    assert printed("cache verify")["operators"] == 3
    assert printed("cache prune", "--dry-run")["living"]
    hub("uninstall", "acme/embed", *into)
    assert printed("sync", *into)["operators"]
    before = Path("hub.toml").read_text(), Path("hub.lock").read_text()
    assert printed("remove", "acme/embed", "--dry-run", *into)["operators"]
    assert (Path("hub.toml").read_text(), Path("hub.lock").read_text()) == before
    assert printed("remove", "acme/embed", *into)["operators"]
    assert printed("install", "acme/blur", "--no-project", *into)["operators"]
    assert printed("uninstall", "acme/blur", *into)["operators"]
    assert printed("cache clean")["removed"]


@pytest.mark.slow
def test_what_publishing_prints_is_as_promised(
    printed: Printed, repository: GitRepository, tmp_path: Path
) -> None:
    index = GitRepository.create(tmp_path / "repositories" / "index.git")
    source, spec = f"git+{repository.url}", f"index+{index.url}"
    assert printed("init", "acme/embed")["files"]
    assert printed("check", "embed")["findings"] == []
    (Path("embed") / "README.md").unlink()
    assert printed("check", "embed", status=1)["findings"]
    files = {"README.md": b"# Echo\n", "LICENSE": b"Apache License\n"}
    work = write_files(Path("work"), {**operator_files("acme/echo", "1.0.0"), **files})
    words = (work, "--to", source, "--no-run", "--index", spec)
    assert printed("publish", *words, "--dry-run")["commit"] is None
    told = printed("publish", *words, "--yes")["index"]
    assert list(differences(SHAPES["index update"], told)) == []
    assert printed("index update", spec, "acme/echo")["commit"] is None
    assert printed("yank", "acme/echo==1.0.0", "--at", spec)["changed"]
    assert printed("index update", spec, "acme/echo")["changes"]
    Path("list.txt").write_text(f"acme/echo {source}\nacme/off {source}.off\n")
    built = printed("index build", "index", "--from", "list.txt", status=1)
    assert built["changes"]
    assert built["problems"]
