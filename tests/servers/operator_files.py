"""The smallest operator that can be published, as files by path."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MANIFEST = """\
spec: 1
name: {name}
version: "{version}"
kind: operator
summary: Give back what came in
license: Apache-2.0
module: echo
inputs: [{{name: value, type: text}}]
outputs: [{{name: echo, type: text}}]
"""
CODE = """\
from plugin_spec import Operator, hookimpl


class Echo(Operator):
    def __call__(self, value):
        return value


@hookimpl
def operator_class():
    return Echo
"""


def operator_files(name: str, version: str, **more: str) -> dict[str, bytes]:
    """An echo operator; ``more`` are files at its root, by name without a suffix."""
    files = {
        "operator.yaml": MANIFEST.format(name=name, version=version),
        "echo/__init__.py": CODE,
        **{f"{name}.txt": text for name, text in more.items()},
    }
    return {path: text.encode() for path, text in files.items()}


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder
