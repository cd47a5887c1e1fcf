"""``make demo``: its page, its figures, and the weights that it shows."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from installation import ROOT
from safetensors import safe_open

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

TINY = ROOT / "reference_operators" / "towhee" / "image-embedding-tiny"


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "demo")
    for name in ("photographs", "reverse_image_search"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("reverse_image_search")


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """One run, in an environment whose operators are installed on demand."""
    folder = tmp_path_factory.mktemp("demo")
    script = ROOT / "demo" / "reverse_image_search.py"
    environment = folder / "venv"
    make = ["uv", "venv", "--quiet", "--python", sys.executable, environment]
    subprocess.run([sys.executable, "-m", *make], check=True)
    # What the test environment has, the demo's has: only receipts are its own.
    (site,) = environment.glob("lib/*/site-packages")
    paths = "\n".join(path for path in sys.path if path.endswith("site-packages"))
    (site / "tests.pth").write_text(f"{paths}\n{ROOT}\n", encoding="utf-8")
    words = [environment / "bin" / "python", script, "--output", folder / "out"]
    done = subprocess.run(
        [*words, "--each", "6"],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "HUB_CACHE_DIR": str(folder / "cache")},
    )
    return folder / "out", done.stdout


@pytest.mark.slow
def test_the_printed_precision_is_that_of_the_results(output: tuple[Path, str]) -> None:
    folder, printed = output
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))

    def photograph(path: str) -> str:
        return path.rpartition("/")[2].rpartition("-")[0]

    hits = [
        photograph(path) == photograph(each["query"])
        for each in results["found"]
        for path in each["nearest"]
    ]
    precision = sum(hits) / len(hits)
    assert results["precision_at_5"] == pytest.approx(precision)
    assert f"precision@5   {precision:.3f}" in printed
    assert str(folder / "index.html") in printed


@pytest.mark.slow
def test_the_weights_beat_raw_pixels_on_photographs_they_never_saw(
    output: tuple[Path, str],
) -> None:
    results = json.loads((output[0] / "results.json").read_text(encoding="utf-8"))
    assert results["precision_at_5"] > 0.65
    assert results["precision_at_5_of_raw_pixels"] < 0.6


@pytest.mark.slow
def test_the_page_asks_nobody_for_anything(output: tuple[Path, str]) -> None:
    page = (output[0] / "index.html").read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources
    assert all((output[0] / source).is_file() for source in sources)
    described = re.findall(r'<img [^>]*alt="[^"]+"', page)
    assert len(described) == page.count("<img ")
    assert "danielbuechele" in page


def test_a_hostile_file_name_is_only_text_on_the_page(demo: ModuleType) -> None:
    cell = demo.draw_cell('dataset/"><script>alert(1)</script>-001.jpg', "wrong", "<b>")
    assert "<script>" not in cell
    assert "<b>" not in cell
    assert "&quot;&gt;&lt;" in cell


def test_training_and_judged_photographs_do_not_meet(demo: ModuleType) -> None:
    photographs = importlib.import_module("photographs")
    assert set(photographs.TRAINING) & set(photographs.HELD_OUT) == set()


def test_the_weights_are_those_of_the_card() -> None:
    weights = TINY / "weights" / "model.safetensors"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert digest in (TINY / "README.md").read_text(encoding="utf-8")
    with safe_open(weights, framework="numpy") as file:
        assert len(list(file.keys())) > 50
