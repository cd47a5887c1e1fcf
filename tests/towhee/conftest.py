"""Small operators, written to disk as the repositories that they would be."""

from __future__ import annotations

import json
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from hub_client.installed import InstalledOperator
from hub_client.receipt import Receipt
from hub_client.tree_digest import tree_digest
from plugin_spec import Manifest
from towhee.bound import BoundOperator, BoundPipeline
from towhee.pipelines import FunctionCall

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

HEADER = """
from plugin_spec import ModelOperator, Operator, hookimpl

@hookimpl
def operator_class():
    return Subject
"""
ANY_PORT = [{"name": "value", "type": "any"}]


def write_repository(
    folder: Path,
    code: str | None = None,
    *,
    header: str = HEADER,
    files: Mapping[str, str] | None = None,
    **manifest: object,
) -> Path:
    """Write one below ``folder``; one without code is a pipeline's."""
    document = {
        "spec": 1,
        "name": "test/subject",
        "version": "1.0.0",
        "kind": "operator",
        "summary": "A subject of tests",
        "license": "Apache-2.0",
        "inputs": ANY_PORT,
        "outputs": ANY_PORT,
        **({"module": "subject"} if code else {}),
        **manifest,
    }
    tree = folder / str(document["name"]) / str(document["version"])
    text = {"operator.yaml": json.dumps(document), **(files or {})}
    if code:
        text["subject/__init__.py"] = header + textwrap.dedent(code)
    for path, content in text.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(content, encoding="utf-8")
    return tree


@pytest.fixture
def write_operator(tmp_path: Path) -> Callable[..., InstalledOperator]:
    """Write a repository; gives what the installer gives for one that is installed."""

    def write(code: str, **options: object) -> InstalledOperator:
        tree = write_repository(tmp_path / "trees", code, **options)
        manifest = Manifest.from_yaml((tree / "operator.yaml").read_bytes())
        digest = tree_digest(tree)
        receipt = Receipt(
            manifest.name,
            manifest.version,
            source=f"dir:{tmp_path}",
            ref=None,
            revision=digest,
            tree=digest,
            requested=True,
        )
        return InstalledOperator(receipt=receipt, manifest=manifest, tree=tree)

    return write


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a repository into the trusted folder that this project's operators are in.

    They are installed into an environment of the test's own.
    """
    prefix = tmp_path / "environment"
    prefix.mkdir()
    monkeypatch.setattr(sys, "prefix", str(prefix))
    source = f"dir:{tmp_path / 'source'}"
    (tmp_path / "work" / "hub.toml").write_text(f'[sources]\n"*" = "{source}"\n')
    config = tmp_path / "home" / "config"
    config.mkdir()
    (config / "config.toml").write_text(f'trusted = ["{source}"]\n')

    def write(code: str | None = None, **options: object) -> Path:
        return write_repository(tmp_path / "source", code, **options)

    return write


@pytest.fixture
def bound() -> Callable[..., BoundPipeline]:
    """Bind steps in order: functions as calls, operators as they were written."""

    def bind(
        *steps: FunctionCall | InstalledOperator, **options: object
    ) -> BoundPipeline:
        return BoundPipeline(
            tuple(
                (
                    step
                    if isinstance(step, FunctionCall)
                    else BoundOperator(step, options),
                )
                for step in steps
            )
        )

    return bind
