"""Every bundled operator could be published as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from installation import ROOT

from plugin_spec.conformance import check_operator

if TYPE_CHECKING:
    from pathlib import Path

OPERATORS = ROOT / "reference_operators"
REPOSITORIES = sorted(path.parent for path in OPERATORS.glob("*/*/operator.yaml"))


@pytest.mark.parametrize(
    "repository",
    REPOSITORIES,
    ids=lambda path: path.relative_to(OPERATORS).as_posix(),
)
def test_there_is_nothing_to_mend(repository: Path) -> None:
    assert check_operator(repository) == ()


def test_no_repository_is_forgotten() -> None:
    assert (
        sorted(
            path
            for namespace in OPERATORS.iterdir()
            for path in namespace.iterdir()
            if namespace.is_dir() and path.is_dir()
        )
        == REPOSITORIES
    )
