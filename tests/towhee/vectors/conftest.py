"""Stores are filled by the bundled operators, in an environment of the test's own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from vector_stores import CLASSES, Store, store_in

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    prefix = tmp_path / "environment"
    prefix.mkdir()
    monkeypatch.setattr(sys, "prefix", str(prefix))
    return prefix


@pytest.fixture(params=CLASSES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return store_in(tmp_path, request.param)
