"""Queries are held against the space that data say they are of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from search_vectors import SearchVectors

from plugin_spec import EmbeddingSpace
from plugin_spec.space_files import beside, parquet_metadata
from plugin_spec.spaces import InvalidSpace, SpacesDiffer

if TYPE_CHECKING:
    from pathlib import Path

SPACE = EmbeddingSpace("a/b", "tiny", "sha256:00")
OTHER = SPACE.but(layer="layer3")
VECTORS = np.eye(3, dtype=np.float32)


def write_parquet(path: Path, metadata: dict[bytes, bytes]) -> str:
    columns = {"v": pa.array(VECTORS.tolist()), "w": pa.array(VECTORS.tolist())}
    table = pa.table(columns).replace_schema_metadata(metadata)
    parquet.write_table(table, path)
    return str(path)


def test_a_column_of_a_parquet_file_is_of_the_space_that_its_metadata_say(
    tmp_path: Path,
) -> None:
    path = write_parquet(
        tmp_path / "vectors.parquet", parquet_metadata({"v": SPACE, "w": OTHER})
    )
    search = SearchVectors(data=path, column="v")
    assert search.for_space(SPACE) is search
    with pytest.raises(SpacesDiffer) as caught:
        search.for_space(OTHER)
    assert str(caught.value) == (
        f"`{path}` holds vectors of another space than those that come\n"
        "  layer: none, layer3"
    )
    assert SearchVectors(data=path, column="w").for_space(OTHER)
    mixed = SearchVectors(data=path, column="v", allow_mixed_spaces=True)
    assert mixed.for_space(OTHER) is mixed


def test_a_space_that_was_said_after_the_rows_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "vectors.parquet"
    table = pa.table({"v": pa.array(VECTORS.tolist())})
    with parquet.ParquetWriter(path, table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(parquet_metadata({"v": SPACE}))
    with pytest.raises(SpacesDiffer, match="layer: none, layer3"):
        SearchVectors(data=str(path)).for_space(OTHER)


def test_metadata_that_say_no_space_are_refused(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "vectors.parquet", {b"towhee.spaces": b"[1]"})
    with pytest.raises(InvalidSpace) as caught:
        SearchVectors(data=path, column="v")
    assert str(caught.value) == f"The metadata of `{path}` name no spaces by column"


@pytest.mark.parametrize(
    "said",
    [
        None,
        "no JSON",
        "[1]",
        '{"files": ["a", "b", "c"]}',
        '{"files": 3}',
        json.dumps({"files": "abc", "space": OTHER.to_dict()}),
        json.dumps({"files": ["a"], "space": OTHER.to_dict()}),
    ],
)
def test_what_is_beside_an_npy_file_and_says_nothing_of_it_changes_nothing(
    tmp_path: Path, said: str | None
) -> None:
    path = tmp_path / "vectors.npy"
    np.save(path, VECTORS)
    if said is not None:
        beside(path).write_text(said)
    search = SearchVectors(data=str(path))
    assert search.for_space(SPACE) is search


def test_an_npy_file_is_of_the_space_that_the_file_beside_says(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npy"
    np.save(path, VECTORS)
    said = {"files": ["a", "b", "c"], "space": SPACE.to_dict()}
    beside(path).write_text(json.dumps(said))
    with pytest.raises(SpacesDiffer, match="layer: none, layer3"):
        SearchVectors(data=str(path)).for_space(OTHER)
