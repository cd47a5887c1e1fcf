"""Batches are files; many of them become one, and a kill leaves none that counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import faiss
import numpy as np
import pytest
from faiss_insert import FaissInsert

if TYPE_CHECKING:
    from pathlib import Path

    from plugin_spec.records import Record


def record(operator: FaissInsert, number: int) -> Record:
    return operator.prepare((number, [number, 1]))


def sizes(folder: Path) -> list[int]:
    files = sorted(folder.glob("*.faiss"))
    return [faiss.read_index(str(file)).ntotal for file in files]


def test_an_append_rewrites_little(tmp_path: Path) -> None:
    operator = FaissInsert(path=str(tmp_path / "store"))
    seen = []
    for number in range(40):
        operator.insert([record(operator, number)])
        seen.append(sizes(tmp_path / "store"))
    assert seen[14] == [1] * 15
    assert seen[15] == [16]
    assert seen[39] == [16, 16, *[1] * 8]
    operator.finish()
    (file,) = (tmp_path / "store").glob("*.faiss")
    vectors = faiss.read_index(str(file)).reconstruct_n(0, 40)
    assert vectors.tolist() == [[number, 1] for number in range(40)]


def test_what_stops_before_its_transaction_was_never_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = FaissInsert(path=str(tmp_path / "store"))
    operator.insert([record(operator, 0)], note={"row": 0})
    with monkeypatch.context() as patch:
        patch.setattr("faiss_insert.catalogue.Writer.add", None)
        with pytest.raises(TypeError):
            operator.insert([record(operator, 1), record(operator, 2)], note={"row": 2})
    assert sizes(tmp_path / "store") == [1, 2]  # a file that nothing names
    assert operator.note() == {"row": 0}
    operator.insert([record(operator, 7), record(operator, 8)], note={"row": 1})
    last = max((tmp_path / "store").glob("*.faiss"))
    vectors = faiss.read_index(str(last)).reconstruct_n(0, 2)
    assert np.array_equal(vectors, [[7, 1], [8, 1]])
