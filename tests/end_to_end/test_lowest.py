"""The oldest dependencies that the distribution allows, together."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from installation import ROOT, UV, Installation

if TYPE_CHECKING:
    from pathlib import Path


EXTRAS = ("huggingface", "sbom", "sigstore")


def oldest(folder: Path, package_cache: Path) -> Path:
    """Pin the oldest of each dependency that the project names itself."""
    pins = folder / "oldest.txt"
    words = [
        "pip",
        "compile",
        "--quiet",
        ROOT / "pyproject.toml",
        "--output-file",
        pins,
    ]
    flags = ["--resolution", "lowest-direct", *(f"--extra={each}" for each in EXTRAS)]
    environment = {**os.environ, "UV_CACHE_DIR": str(package_cache)}
    subprocess.run(
        [UV, *words, *flags], check=True, env=environment, stdout=subprocess.DEVNULL
    )
    return pins


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_oldest_dependencies_carry_an_operator_from_author_to_user(
    tmp_path: Path, wheel: Path, package_cache: Path
) -> None:
    user = Installation.create(
        tmp_path / "venv",
        f"{wheel}[{','.join(EXTRAS)}]",
        f"--constraint={oldest(tmp_path, package_cache)}",
        HOME=str(tmp_path),
        HUB_CACHE_DIR=str(tmp_path / "cache"),
        HUB_CONFIG_DIR=str(tmp_path / "config"),
        UV_CACHE_DIR=str(package_cache),
    )
    host, project = tmp_path / "brightness.git", tmp_path / "project"
    source = f"git+file://{host}"
    project.mkdir()

    def hub(*words: str) -> str:
        return user.run("hub", *words, folder=project).stdout

    assert "Usage: hub COMMAND" in hub("--help")
    user.run("git", "init", "--quiet", "--bare", str(host))
    hub("init", "acme/brightness")
    hub("publish", "brightness", "--to", source, "--no-run", "--yes")
    hub("trust", "add", source)
    hub("add", "acme/brightness", "--source", source)
    hub("check", "brightness", "--run")
    hub("lock", "--check")
    assert "acme/brightness" in hub("tree")
    assert json.loads(hub("verify", "--json"))["differences"] == []
    assert hub("search", "brightness").startswith("acme/brightness")
    hub("bundle", "-o", "bundle")
    hub("sync", "--from", "bundle")
    assert json.loads(hub("export", "--format", "sbom"))["bomFormat"] == "CycloneDX"
    assert user.run("hub", "lits", succeed=False).returncode == 2
