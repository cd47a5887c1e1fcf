"""What is published was run before, unless its author says otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from servers.git_repository import GitRepository

    from tests.hub_client.cli.conftest import Hub


@pytest.fixture
def broken(hub: Hub) -> Path:
    """An operator that reads well, and fails when it is called."""
    hub("init", "acme/my-op")
    package = Path("my-op/my_op/__init__.py")
    package.write_text(package.read_text().replace("image.mean", "image.median"))
    return Path("my-op")


def test_what_fails_when_it_runs_is_not_published(
    hub: Hub, broken: Path, repository: GitRepository
) -> None:
    target = f"git+{repository.url}"
    # First what takes a moment, then what may take minutes.
    unknown = replace(hub, module="towhee")(
        "publish", broken, "--to", target, "--yes", GIT_AUTHOR_NAME=""
    )
    assert unknown.returncode == 1
    assert unknown.stderr == (
        "error: Git does not know who you are, and a commit says who made it\n\n"
        "hint: Run `git config --global user.name NAME` "
        "and `git config --global user.email ADDRESS`\n"
    )
    refused = replace(hub, module="towhee")("publish", broken, "--to", target, "--yes")
    assert refused.returncode == 1
    assert refused.stderr.startswith("Checking acme/my-op\n")
    assert "fails on a made-up image: AttributeError" in refused.stderr
    assert repository.git("tag") == ""
    words = ("publish", broken, "--to", target, "--yes", "--no-run")
    assert replace(hub, module="towhee")(*words).returncode == 0
    assert repository.git("tag") == "v0.1.0"


def test_requirements_are_tried_in_a_new_environment_if_asked(
    hub: Hub, repository: GitRepository
) -> None:
    hub("init", "acme/my-op")
    manifest = Path("my-op/operator.yaml")
    manifest.write_text(manifest.read_text().replace(">=3.11", ">=3.99"))
    assert ">=3.99" in manifest.read_text()
    words = ("publish", "my-op", "--to", f"git+{repository.url}", "--yes")
    refused = replace(hub, module="towhee")(*words, "--fresh")
    assert refused.returncode == 1
    assert "not installed: it requires Python `>=3.99`" in refused.stderr
    assert repository.git("tag") == ""
    contradictory = replace(hub, module="towhee")(*words, "--fresh", "--no-run")
    assert "`--fresh` and `--no-run` contradict each other" in contradictory.stderr
    published = replace(hub, module="towhee")(*words)
    assert "warning: operator.yaml: requires.python: is >=3.99" in published.stderr
    assert repository.git("tag") == "v0.1.0"
