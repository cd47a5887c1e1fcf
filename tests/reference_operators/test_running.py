"""Every bundled operator does what its manifest says, as `hub check --run` sees it.

Stores get samples and a folder of the test's own, models small weights.
"""

from __future__ import annotations

import importlib
import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from installation import ROOT
from vector_stores import CLASSES, Store, store_in

from towhee.checking import inspect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

OPERATORS = ROOT / "reference_operators"
RECORD = {"id": 1, "vector": [3.0, 0.0], "file": "a.jpg"}
QUERY = [0.0, 5.0]
# It downloads a model of 100 MB, and its steps are checked by themselves.
HEAVY = "towhee/image-embedding-resnet50"


def known(store: Store) -> list[str]:
    """A file of Milvus's is one process's own until that ends; a server's is not."""
    if store.kind != "milvus":
        return []
    return [
        (
            f"error: another process: fails there: Cannot open `{store.place['uri']}`: "
            "Open local milvus failed\n"
            "  Return what `pickle` can carry, and need nothing of this process"
        )
    ]


@pytest.fixture
def examine(tmp_path: Path) -> Callable[..., list[str]]:
    """Run a copy of an operator on a sample, if its ports cannot say one."""

    def run(
        name: str, sample: object = None, options: Mapping[str, object] | None = None
    ) -> list[str]:
        copy = tmp_path / "operator"
        shutil.copytree(OPERATORS / name, copy)
        if sample is not None:
            (copy / "samples").mkdir()
            (copy / "samples/row.json").write_text(json.dumps(sample))
        return list(map(str, inspect(copy, options=options or {})))

    return run


def test_a_decoder(examine: Callable[..., list[str]]) -> None:
    assert examine("image-decode/cv2") == []


def test_an_exact_search(examine: Callable[..., list[str]], tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", np.eye(5, 2, dtype=np.float32))
    options = {"data": str(tmp_path / "vectors.npy")}
    assert examine("towhee/search-vectors", QUERY, options) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", CLASSES)
def test_a_store_is_filled(
    kind: str, examine: Callable[..., list[str]], tmp_path: Path
) -> None:
    store = store_in(tmp_path, kind)
    assert examine(f"ann-insert/{kind}", RECORD, store.place) == known(store)


@pytest.mark.slow
@pytest.mark.parametrize("kind", CLASSES)
def test_a_store_is_searched(
    kind: str, examine: Callable[..., list[str]], tmp_path: Path
) -> None:
    store = store_in(tmp_path, kind)
    store.there("insert", [RECORD])
    assert examine(f"ann-search/{kind}", QUERY, store.place) == known(store)


@pytest.mark.slow
def test_a_pipeline_with_weights(
    examine: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its steps' receipts go to an environment of the test's own.
    prefix = tmp_path / "environment"
    prefix.mkdir()
    (prefix / "sitecustomize.py").write_text(
        f"import sys; sys.prefix = {str(prefix)!r}"
    )
    monkeypatch.syspath_prepend(prefix)
    assert examine("towhee/image-embedding-tiny") == []


@pytest.mark.slow
def test_a_model_of_images(examine: Callable[..., list[str]]) -> None:
    options = {"model_name": "test_resnet", "pretrained": False}
    assert examine("image-embedding/timm", None, options) == []


@pytest.mark.slow
def test_a_model_of_texts(examine: Callable[..., list[str]], tmp_path: Path) -> None:
    tests = OPERATORS / "text-embedding" / "transformers" / "tests"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tests)
        importlib.import_module("tiny_bert").write_model(tmp_path / "model")
    options = {"model_name": str(tmp_path / "model")}
    assert examine("text-embedding/transformers", None, options) == []


@pytest.mark.slow
@pytest.mark.parametrize(("modality", "sample"), [("image", None), ("text", "a cat")])
def test_a_model_of_images_and_texts(
    examine: Callable[..., list[str]],
    tmp_path: Path,
    modality: str,
    sample: str | None,
) -> None:
    tests = OPERATORS / "image-text-embedding" / "clip" / "tests"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tests)
        importlib.import_module("tiny_clip").write_model(tmp_path / "model")
    options = {"model_name": str(tmp_path / "model"), "modality": modality}
    assert examine("image-text-embedding/clip", sample, options) == []


def test_no_operator_is_forgotten(request: pytest.FixtureRequest) -> None:
    text = request.path.read_text(encoding="utf-8")
    names = [
        path.parent.relative_to(OPERATORS).as_posix()
        for path in OPERATORS.glob("*/*/operator.yaml")
    ]
    stores = {f"ann-{what}/{kind}" for what in ("insert", "search") for kind in CLASSES}
    assert [each for each in names if each not in stores and each not in text] == []
