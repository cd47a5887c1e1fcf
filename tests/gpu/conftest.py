"""What only a GPU can show: ``make test-gpu``, where torch finds one."""

from __future__ import annotations

import importlib
import os
import sys

import pytest
from installation import ROOT

if "HUB_TEST_GPU" not in os.environ:
    collect_ignore_glob = ["test_*.py"]
else:
    with pytest.MonkeyPatch.context() as patch:
        folder = ROOT / "reference_operators/image-embedding/timm"
        patch.setattr(sys, "path", [str(folder), *sys.path])
        importlib.import_module("timm_embedding")


@pytest.fixture(autouse=True)
def gpu() -> None:
    """Skip where there is none."""
    import torch  # noqa: PLC0415  (after what leaves GPUs alone)

    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU here")
