"""Publishing a version that an index lists at once, by the commands alone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.git_repository import GitRepository
from servers.operator_files import operator_files, write_files

if TYPE_CHECKING:
    from tests.hub_client.cli.conftest import Hub

PAGES = {"README.md": b"# Echo\n", "LICENSE": b"Apache License\n"}
PUBLISH = ("publish", "work", "--no-run", "--yes", "--to")


@pytest.fixture
def index(tmp_path: Path) -> GitRepository:
    return GitRepository.create(tmp_path / "repositories" / "index.git")


@pytest.fixture(autouse=True)
def _author(repository: GitRepository, index: GitRepository) -> None:
    """The author's folder, at version 1.0.0, and configuration that asks the index."""
    write_files(Path("work"), {**operator_files("acme/embed", "1.0.0"), **PAGES})
    config = Path(os.environ["HUB_CONFIG_DIR"])
    config.mkdir()
    (config / "config.toml").write_text(
        f'trusted = ["git+{repository.url}"]\n[sources]\n"acme/*" = "index+{index.url}"\n'
    )


@pytest.mark.slow
def test_what_is_published_is_listed_and_yanked_where_the_index_says(
    hub: Hub, repository: GitRepository, index: GitRepository
) -> None:
    source, spec = f"git+{repository.url}", f"index+{index.url}"
    done = hub(*PUBLISH, source, "--index", spec, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["index"]
    assert told == {
        "index": spec,
        "branch": "main",
        "commit": index.git("rev-parse", "main"),
        "changes": [
            {"action": "add", "name": "acme/embed", "version": "1.0.0", "note": ""}
        ],
    }
    assert hub.said("yank", "acme/embed==1.0.0", "--reason", "swaps red and blue") == (
        f"acme/embed 1.0.0 is yanked at `{source}`\n\n"
        f"hint: `hub index update {spec} acme/embed` tells the index\n"
    )
    done = hub("index", "update", spec, "acme/embed", "--no-progress")
    assert done.stdout == "~ acme/embed 1.0.0  yanked: swaps red and blue\n"
    assert done.stderr == f"Updated `{spec}`\n"
    assert json.loads(hub("info", "acme/embed", "--json").stdout)["yanked"] == {
        "1.0.0": "swaps red and blue"
    }
    assert hub.refused("yank", "acme/embed==2.0.0") == (
        f"error: `{spec}` does not list acme/embed 2.0.0\n\n"
        "hint: Listed is 1.0.0; `--at` says where it is\n"
    )


def test_an_index_that_does_not_answer_stops_a_publication_before_it_begins(
    hub: Hub, repository: GitRepository, index: GitRepository
) -> None:
    away = f"index+{index.url}.away"
    said = hub.refused(*PUBLISH, f"git+{repository.url}", "--index", away)
    assert said.startswith(f"error: Cannot read `{index.url}.away`: ")
    assert repository.git("tag") == ""


@pytest.mark.slow
def test_an_index_that_takes_no_push_is_told_later(
    hub: Hub, repository: GitRepository, index: GitRepository
) -> None:
    hook = index.path / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\n[ "$1" != refs/heads/main ]\n')
    hook.chmod(0o755)
    source, spec = f"git+{repository.url}", f"index+{index.url}"
    done = hub(*PUBLISH, source, "--index", spec)
    assert (done.returncode, repository.git("tag")) == (1, "v1.0.0")
    assert (
        "error: The version is published, and the index was not told: " in done.stderr
    )
    assert done.stderr.endswith(
        f"hint: Run `hub index update {spec} acme/embed --source {source}`. "
        "If only its keeper may write there, `--propose` pushes a branch that a pull "
        "request can take\n"
    )
    words = ("index", "update", spec, "acme/embed", "--source", source, "--propose")
    done = hub(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "+ acme/embed 1.0.0\n"
    assert done.stderr.endswith("hint: Open a pull request of that branch\n")
    assert index.git("for-each-ref", "--format=%(refname)").startswith(
        "refs/heads/hub/"
    )


@pytest.mark.slow  # takes more than a second
def test_what_is_published_and_not_listed_is_told_to_the_index_by_what_is_said(
    hub: Hub, repository: GitRepository, index: GitRepository
) -> None:
    source, spec = f"git+{repository.url}", f"index+{index.url}"
    assert hub(*PUBLISH, source).returncode == 0
    assert hub.refused(*PUBLISH, source, "--index", spec) == (
        "error: acme/embed 1.0.0 is published already\n\n"
        "hint: Raise `version` in `operator.yaml`: a version never changes. "
        f"`hub index update {spec} acme/embed --source {source}` tells the index\n"
    )
