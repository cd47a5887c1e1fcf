"""Whether requirements are complete shows in an environment that has nothing else."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import pytest

from towhee.checking import inspect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hub_client.installed import InstalledOperator

CODE = """
import numpy as np

class Subject(Operator):
    def __call__(self, value):
        return np.array([len(value)])
"""
TEXT = [{"name": "value", "type": "text"}]


@pytest.fixture(autouse=True)
def _shared_packages(package_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(package_cache))


@pytest.mark.slow
def test_an_operator_that_names_all_it_imports_has_nothing_to_mend(
    write_operator: Callable[..., InstalledOperator],
) -> None:
    requires = {"packages": ["numpy>=1.26"], "operators": ["image-decode/cv2"]}
    operator = write_operator(CODE, inputs=TEXT, requires=requires)
    assert inspect(operator.tree, options={}, fresh=True) == ()


@pytest.mark.slow
def test_a_requirement_that_is_missing_is_found(
    write_operator: Callable[..., InstalledOperator],
) -> None:
    operator = write_operator(CODE, inputs=TEXT)
    (finding,) = inspect(operator.tree, options={}, fresh=True)
    assert str(finding) == (
        "error: import: fails: ModuleNotFoundError: No module named 'numpy'\n"
        "  Name the distribution that has it in `requires.packages`, and install it"
    )
    assert inspect(operator.tree, options={}) == ()


@pytest.mark.slow
def test_requirements_that_nothing_satisfies_are_found(
    write_operator: Callable[..., InstalledOperator],
) -> None:
    operator = write_operator(CODE, requires={"packages": ["numpy<1", "numpy>2"]})
    (finding,) = inspect(operator.tree, options={}, fresh=True)
    assert finding.place == "requirements"
    assert finding.message.startswith(
        "not installed: No set of Python packages satisfies every operator\n"
        "  test/subject requires `numpy"
    )


def test_a_python_that_it_may_not_have_is_told(
    write_operator: Callable[..., InstalledOperator],
) -> None:
    operator = write_operator(CODE, inputs=TEXT, requires={"python": ">=3.99"})
    (finding,) = inspect(operator.tree, options={}, fresh=True)
    assert str(finding) == (
        "error: requirements: not installed: it requires Python `>=3.99`\n"
        f"  This is Python {platform.python_version()}: "
        "run hub with one that it may have"
    )
