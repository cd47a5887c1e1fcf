"""What only a GPU can show: ``make test-gpu``, where torch finds one."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import torch
from installation import ROOT

with pytest.MonkeyPatch.context() as patch:
    folder = ROOT / "reference_operators/image-embedding/timm"
    patch.setattr(sys, "path", [str(folder), *sys.path])
    importlib.import_module("timm_embedding")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip them all where there is none."""
    if torch.cuda.is_available():
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="`make test-gpu` runs it where torch finds a GPU"))
