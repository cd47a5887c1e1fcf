"""Workers whose Python packages are those of a lock, and not those of their node."""

from __future__ import annotations

from pathlib import Path

import pytest
from installation import UV, Installation

PROJECT = """
operators = ["test/subject"]

[sources]
"*" = "dir:operators"
"""
MANIFEST = """
spec: 1
name: test/subject
version: "1.0.0"
kind: operator
summary: Says which version of a package it has
license: Apache-2.0
module: subject
inputs: [{name: value, type: any}]
outputs: [{name: version, type: text}]
requires: {packages: ["six==1.16.0"]}
"""
CODE = """
from plugin_spec import Operator, hookimpl

class Subject(Operator):
    def __call__(self, value):
        import six

        return f"{six.__version__} {six.__file__}"

@hookimpl
def operator_class():
    return Subject
"""
RUN = """
from towhee import DataCollection, ray_start

ray_start(num_cpus=1, lock="hub.lock")
print(DataCollection([1]).test.subject().set_engine("ray").to_list()[0])
"""


@pytest.mark.slow
def test_workers_have_the_locked_packages_whatever_their_node_has(
    tmp_path: Path, wheel: Path, package_cache: Path, ray_folder: Path
) -> None:
    installation = Installation.create(
        tmp_path / "venv",
        wheel,
        UV_CACHE_DIR=str(package_cache),
        RAY_TMPDIR=str(ray_folder),
        TMPDIR=str(ray_folder),
    )
    installation.run(UV, "pip", "install", "--quiet", f"{wheel}[ray]")
    folder = tmp_path / "project"
    operator = folder / "operators" / "test" / "subject"
    (operator / "subject").mkdir(parents=True)
    (operator / "operator.yaml").write_text(MANIFEST, encoding="utf-8")
    (operator / "subject" / "__init__.py").write_text(CODE, encoding="utf-8")
    (folder / "hub.toml").write_text(PROJECT, encoding="utf-8")
    installation.run("hub", "trust", "add", "dir:operators", folder=folder)
    installation.run("hub", "lock", folder=folder)
    installation.run("hub", "sync", folder=folder)
    # The node goes another way; the lock does not.
    installation.run("pip", "install", "--quiet", "six==1.17.0", folder=folder)
    version, file = installation.run("python", "-c", RUN, folder=folder).stdout.split()
    assert version == "1.16.0"
    assert "/runtime_resources/uv/" in file
    assert not Path(file).exists(), "the environment went with the run"
