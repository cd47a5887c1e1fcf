"""Small operators, written to disk as the repositories that they would be."""

from __future__ import annotations

import json
import textwrap
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from hub_client.tree_digest import tree_digest
from plugin_spec import Manifest
from towhee.bound import BoundOperator, BoundPipeline
from towhee.pipelines import FunctionCall

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hub_client.installed import InstalledOperator

HEADER = """
from plugin_spec import ModelOperator, Operator, hookimpl

@hookimpl
def operator_class():
    return Subject
"""
ANY_PORT = [{"name": "value", "type": "any"}]


@pytest.fixture
def write_operator(tmp_path: Path) -> Callable[..., InstalledOperator]:
    """Write a repository; gives what the installer gives for one that is installed."""

    def write(
        code: str,
        *,
        header: str = HEADER,
        files: Mapping[str, str] | None = None,
        **manifest: object,
    ) -> InstalledOperator:
        document = {
            "spec": 1,
            "name": "test/subject",
            "version": "1.0.0",
            "kind": "operator",
            "summary": "A subject of tests",
            "license": "Apache-2.0",
            "module": "subject",
            "inputs": ANY_PORT,
            "outputs": ANY_PORT,
            **manifest,
        }
        tree = tmp_path / "trees" / f"{document['name']}-{document['version']}"
        text = {
            "operator.yaml": json.dumps(document),
            "subject/__init__.py": header + textwrap.dedent(code),
            **(files or {}),
        }
        for path, content in text.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(content, encoding="utf-8")
        return SimpleNamespace(
            tree=tree,
            manifest=Manifest.from_yaml((tree / "operator.yaml").read_bytes()),
            receipt=SimpleNamespace(tree=tree_digest(tree)),
        )

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
