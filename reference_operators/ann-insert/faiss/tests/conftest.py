"""Load the package from this repository, wherever it lies, and leave no trace."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

with pytest.MonkeyPatch.context() as patch:
    patch.setattr(sys, "path", [str(Path(__file__).parent.parent), *sys.path])
    importlib.import_module("faiss_insert")
