"""The house has floors: an import may only point down, and heavy things load late."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
FLOORS = ("plugin_spec", "hub_client", "towhee")
HEAVY = {
    "PIL",
    "cv2",
    "fastapi",
    "git",
    "huggingface_hub",
    "jsonschema",
    "numpy",
    "pyarrow",
    "ray",
    "rich",
    "sklearn",
    "skops",
    "starlette",
    "timm",
    "tomlkit",
    "torch",
    "uvicorn",
    "yaml",
}


def imported_packages(path: Path) -> Iterator[str]:
    """Every top-level package that a file names in an import, at any depth."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("floor", FLOORS)
def test_no_import_points_up(floor: str) -> None:
    above = set(FLOORS[FLOORS.index(floor) + 1 :])
    upward = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / floor).rglob("*.py")
        for name in set(imported_packages(path)) & above
    }
    assert upward == set()


def test_an_operator_imports_the_contract_and_its_own_requirements_only() -> None:
    outward = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / "reference_operators").rglob("*.py")
        if "tests" not in path.parts
        for name in set(imported_packages(path)) & {"hub_client", "towhee"}
    }
    assert outward == set()


@pytest.mark.parametrize(
    "module", ["plugin_spec", "hub_client", "hub_client.cli", "towhee"]
)
def test_importing_a_package_loads_nothing_heavy(module: str) -> None:
    command = f"import {module}, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    ).stdout.split()
    assert HEAVY & set(loaded) == set()
