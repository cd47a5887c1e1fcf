"""``hub init``: from a name to an operator that works."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from installation import Installation

if TYPE_CHECKING:
    from tests.hub_client.cli.conftest import Hub


def test_a_new_operator_says_what_to_do_next(hub: Hub) -> None:
    assert hub.said("init", "acme/my-op") == (
        "Wrote acme/my-op to `my-op`: 8 files\n\n"
        "hint: `hub check my-op` checks it, and its README says what it does\n"
    )
    assert hub.said("check", "my-op") == "`my-op` can be published\n"


def test_what_was_written_as_json(hub: Hub) -> None:
    done = hub("init", "acme/my-op", "elsewhere", "--kind", "pipeline", "--json")
    assert json.loads(done.stdout) == {
        "name": "acme/my-op",
        "path": "elsewhere",
        "kind": "pipeline",
        "files": [
            ".github/workflows/check.yaml",
            ".gitignore",
            "LICENSE",
            "README.md",
            "operator.yaml",
            "tests/test_steps.py",
        ],
    }
    license_text = Path("elsewhere/LICENSE").read_text()
    assert license_text.lstrip().startswith("Apache License")


def test_the_licence_is_the_authors_choice(hub: Hub) -> None:
    hub.said("init", "acme/my-op", "--license", "MIT")
    assert (
        Path("my-op/LICENSE")
        .read_text()
        .startswith("MIT License\n\nCopyright (c) the authors of acme/my-op\n")
    )
    done = hub("init", "acme/other", "--license", "mine")
    assert (done.returncode, Path("other").exists()) == (2, False)


def test_a_name_needs_a_namespace(hub: Hub) -> None:
    assert hub.refused("init", "my-op") == (
        "error: expected `namespace/name`, got 'my-op'\n\n"
        "hint: Put your own name or your team's before it: `acme/my-op`\n"
    )


def test_a_folder_that_is_not_empty_is_refused(hub: Hub) -> None:
    Path("notes").write_text("mine")
    assert hub.refused("init", "acme/my-op", ".") == (
        "error: Nothing was written, since `.` is not empty: it holds `notes`\n\n"
        "hint: Give another folder after the name\n"
    )


def test_a_command_that_is_told_can_be_pasted(hub: Hub) -> None:
    said = hub.said("init", "acme/blur", "my new dir")
    assert "\n\nhint: `hub check 'my new dir'` checks it, " in said
    said = hub.said("init", "acme/blur", "--", "-new")
    assert "\n\nhint: `hub check -- -new` checks it, " in said


def test_the_tests_of_a_new_model_pass_wherever_it_lies(hub: Hub) -> None:
    hub.said("init", "acme/my-model", "--kind", "model")
    Path("pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    words = [sys.executable, "-m", "pytest", "-q"]
    done = subprocess.run(
        words, cwd="my-model", check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout[:2]) == (0, ".."), done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["operator", "model", "pipeline"])
def test_a_new_operators_tests_pass_in_a_fresh_environment(
    kind: str, wheel: Path, tmp_path: Path, package_cache: Path
) -> None:
    fresh = Installation.create(
        tmp_path / "venv", wheel, UV_CACHE_DIR=str(package_cache)
    )
    fresh.run("hub", "init", "acme/my-op", "--kind", kind)
    workflow = Path("my-op/.github/workflows/check.yaml").read_text()
    (install,) = (line for line in workflow.splitlines() if "pip install" in line)
    packages = [word.strip('"') for word in install.partition("towhee-hub ")[2].split()]
    fresh.run("python", "-m", "pip", "install", "--quiet", *packages)
    fresh.run("hub", "check", folder=Path("my-op"))
    fresh.run("python", "-m", "pytest", "-q", folder=Path("my-op"))
