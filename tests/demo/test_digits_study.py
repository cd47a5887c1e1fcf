"""The digits of ``docs/training.md``: what training is good for, by the script there."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING

import pytest
from installation import ROOT
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "training.md"


@pytest.mark.slow
def test_trained_vectors_beat_untrained_ones_and_raw_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "demo")
    study = importlib.import_module("digits_study").study
    found = study(tmp_path, epochs=8)
    assert found["accuracy"] >= 0.97
    trained = found["precision@5, trained"]
    assert trained >= found["precision@5, untrained"] + 0.1
    assert trained > found["precision@5, raw pixels"]
    for name in ("curves.png", "neighbours.png"):
        with (
            Image.open(tmp_path / name) as made,
            Image.open(ROOT / "docs" / "images" / f"digits-{name}") as shown,
        ):
            assert made.size == shown.size
    # The page's figures are the script's, as far as machines agree.
    rows = re.findall(r"^\| ([\w@, ]+) \| (0\.\d+) \|$", PAGE.read_text(), re.MULTILINE)
    assert {name: float(value) for name, value in rows} == pytest.approx(
        found, abs=0.015
    )
