"""Load the package from this repository, wherever it lies, and leave no trace."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

with pytest.MonkeyPatch.context() as patch:
    here = Path(__file__).parent
    patch.setattr(sys, "path", [str(here), str(here.parent), *sys.path])
    importlib.import_module("clip_embedding")
    tiny_clip = importlib.import_module("tiny_clip")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    tiny_clip.write_model(path)
    return path
