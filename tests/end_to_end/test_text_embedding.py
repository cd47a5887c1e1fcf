"""Texts of every length go through the executor, and each comes out as itself."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from installation import ROOT

from towhee import DataCollection, ops

if TYPE_CHECKING:
    from pathlib import Path

TESTS = ROOT / "reference_operators" / "text-embedding" / "transformers" / "tests"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    # Receipts go to an environment of the test's own; packages are this one's.
    prefix = tmp_path / "environment"
    prefix.mkdir()
    monkeypatch.setattr(sys, "prefix", str(prefix))
    monkeypatch.syspath_prepend(TESTS)
    folder = tmp_path / "model"
    importlib.import_module("tiny_bert").write_model(folder)
    return str(folder)


@pytest.mark.parametrize(
    "backend", ["eager", pytest.param("openvino", marks=pytest.mark.slow)]
)
def test_ragged_texts_keep_their_order_and_their_vectors(
    model: str, backend: str
) -> None:
    texts = ["the cat sat on a mat " * (1 + n * 7 % 5) for n in range(60)]
    chain = DataCollection(texts).text_embedding.transformers(
        model_name=model, backend=backend
    )
    embed = ops.text_embedding.transformers(model_name=model)
    expected = np.stack([embed(text) for text in texts])
    np.testing.assert_allclose(np.stack(chain.to_list()), expected, rtol=0, atol=1e-5)
