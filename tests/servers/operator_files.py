"""The smallest operator that can be published, as files by path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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


def operator_files(
    name: str,
    version: str,
    *,
    operators: Sequence[str] = (),
    packages: Sequence[str] = (),
    **more: str,
) -> dict[str, bytes]:
    """An echo operator, and what it requires.

    ``more`` are files at its root, by name without a suffix.
    """
    manifest = MANIFEST.format(name=name, version=version)
    if operators or packages:
        manifest += (
            f"requires: {{operators: {[*operators]}, packages: {[*packages]}}}\n"
        )
    files = {
        "operator.yaml": manifest,
        "echo/__init__.py": CODE,
        **{f"{name}.txt": text for name, text in more.items()},
    }
    return {path: text.encode() for path, text in files.items()}


@dataclass(frozen=True, slots=True)
class OperatorFolder:
    """A publisher's folder of operators, a folder a version."""

    path: Path

    @property
    def spec(self) -> str:
        """The folder as configuration writes it."""
        return f"dir:{self.path}"

    def publish(
        self,
        name: str,
        version: str,
        *,
        operators: Sequence[str] = (),
        packages: Sequence[str] = (),
        **more: str,
    ) -> Path:
        """Write one version, as ``operator_files`` makes it."""
        files = operator_files(
            name, version, operators=operators, packages=packages, **more
        )
        return write_files(self.path / name / version, files)


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder
