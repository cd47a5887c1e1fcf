from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.git_repository import GitRepository
from servers.operator_files import operator_files

if TYPE_CHECKING:
    from tests.hub_client.cli.conftest import Hub


@pytest.fixture
def published(repository: GitRepository) -> GitRepository:
    """The publisher's repository of acme/embed, at 1.0.0, and a list that names it."""
    repository.release("1.0.0", operator_files("acme/embed", "1.0.0"))
    Path("list.txt").write_text(f"acme/embed git+{repository.url}\n")
    return repository


def test_an_index_is_made_and_brought_up_to_date(
    hub: Hub, published: GitRepository
) -> None:
    words = ("index", "build", "index", "--from", "list.txt")
    done = hub(*words)
    assert (done.returncode, done.stdout) == (0, "+ acme/embed 1.0.0\n")
    assert done.stderr == (
        "Reading sources\nReading acme/embed 1.0.0\n"
        "`index` lists 1 operator with 1 version\n"
    )

    published.release("1.1.0", operator_files("acme/embed", "1.1.0"))
    done = hub(*words, "--json")
    assert json.loads(done.stdout) == {
        "folder": "index",
        "operators": 1,
        "versions": 2,
        "changes": [
            {"action": "add", "name": "acme/embed", "version": "1.1.0", "note": ""}
        ],
        "problems": [],
    }
    assert hub.said(*words, "--quiet") == ""


def test_a_source_that_cannot_be_read_stops_no_other(
    hub: Hub, published: GitRepository
) -> None:
    listing = Path("list.txt")
    text = f"acme/aside git+{published.url}.away\n{listing.read_text()}"
    listing.write_text(text)

    done = hub("index", "build", "index", "--from", listing, "--quiet")

    assert (done.returncode, done.stdout) == (1, "+ acme/embed 1.0.0\n")
    assert done.stderr.startswith(
        f"error: Cannot list the versions at `{published.url}.away`: "
    )


def test_an_operator_of_which_nothing_can_be_listed_is_told(
    hub: Hub, published: GitRepository, tmp_path: Path
) -> None:
    source = f"git+{published.url}"
    Path("list.txt").write_text(f"acme/zork {source}\n")
    done = hub("index", "build", "index", "--from", "list.txt", "--json", "--quiet")
    assert done.returncode == 1
    (problem,) = json.loads(done.stdout)["problems"]
    told = f"acme/zork has no version at `{source}` that an index can list\n  1.0.0: "
    assert problem["message"].startswith(told)
    index = GitRepository.create(tmp_path / "index.git")
    words = ("index", "update", f"index+{index.url}", "acme/zork", "--source", source)
    assert hub.refused(*words, "--quiet").startswith(f"error: {told}")


def test_a_committed_index_installs(
    hub: Hub, published: GitRepository, tmp_path: Path, into: tuple[str, str]
) -> None:
    hub("index", "build", "index", "--from", "list.txt")
    index = GitRepository.create(tmp_path / "index.git")
    file = "operators/acme/embed.jsonl"
    index.commit({file: (Path("index") / file).read_bytes()})
    source = f"index+{index.url}"

    hub("trust", "add", f"git+{published.url}")
    done = hub("install", "acme/embed", "--source", source, "--no-project", *into)

    assert done.returncode == 0, done.stderr
    (receipt,) = json.loads(hub("list", "--json", *into).stdout)
    assert receipt["source"] == f"git+{published.url}"


@pytest.mark.parametrize(
    ("folder", "problem"),
    [
        ("list.txt", "Not a directory: `list.txt`"),
        ("/proc/index", "No such file or directory: `/proc/index`"),
    ],
)
def test_no_source_is_read_for_an_index_that_cannot_be_written(
    hub: Hub, published: GitRepository, folder: str, problem: str
) -> None:
    said = hub.refused("index", "build", folder, "--from", "list.txt")
    assert said.startswith(f"error: {problem}\n")
