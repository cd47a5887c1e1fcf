"""Vectors in a file stay there, and are found as those in memory are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from search_vectors import InvalidVectors, SearchResult, SearchVectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

COUNT, LENGTH = 20_000, 24
CALCULATIONS = ["L2", "IP", "cosine"]


@pytest.fixture(scope="module")
def vectors() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((COUNT, LENGTH), np.float32)


def found(search: SearchVectors, vectors: NDArray[Any]) -> list[SearchResult]:
    return search.predict([search.prepare(query) for query in vectors[:5]])


def write_parquet(path: Path, **columns: object) -> Path:
    parquet.write_table(pa.table(columns), path, row_group_size=7000)
    return path


def fixed(vectors: NDArray[Any]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1])


@pytest.mark.parametrize("cal", CALCULATIONS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_file_gives_what_its_array_gives(
    vectors: NDArray[np.float32], cal: str, dtype: str, tmp_path: Path
) -> None:
    array = vectors.astype(dtype)
    np.save(tmp_path / "vectors.npy", array)
    table = write_parquet(tmp_path / "vectors.parquet", embedding=fixed(array))
    expected = found(SearchVectors(data=array, cal=cal), vectors)
    for data in (tmp_path / "vectors.npy", str(table)):
        assert found(SearchVectors(data=data, cal=cal), vectors) == expected


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_a_memory_map_is_searched_where_it_lies(
    vectors: NDArray[np.float32], mode: Literal["r", "r+", "c"], tmp_path: Path
) -> None:
    np.save(tmp_path / "vectors.npy", vectors)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode=mode)
    if mode != "r":
        mapped[7] = 50
    search = SearchVectors(data=mapped[5:], topk=1)
    assert search([50] * LENGTH).ids == [2] or mode == "r"
    assert search(mapped[9]) == SearchResult([4], [0.0])
    assert (mapped[7] == 50).all() or mode == "r"


def test_lists_of_any_kind_are_vectors(
    vectors: NDArray[np.float32], tmp_path: Path
) -> None:
    path = write_parquet(
        tmp_path / "vectors.parquet",
        file=["name"] * COUNT,
        embedding=pa.array(list(vectors), pa.large_list(pa.float32())),
        colours=pa.array([[1, 2]] * COUNT, pa.list_(pa.uint8())),
    )
    search = SearchVectors(data=path, column="embedding", topk=1)
    assert search(vectors[9]) == SearchResult([9], [0.0])
    with pytest.raises(InvalidVectors) as caught:
        SearchVectors(data=path)
    assert str(caught.value) == (
        f"`{path}` has no column of vectors that stands out, "
        "found: `embedding`, `colours`"
    )
    assert caught.value.hint == "Name it: `column='embedding'`"


def test_an_array_that_nobody_can_change_is_not_copied(
    vectors: NDArray[np.float32],
) -> None:
    kept = vectors.copy()
    kept.setflags(write=False)
    search = SearchVectors(data=kept)
    ((_, block),) = search._vectors.blocks(COUNT)  # noqa: SLF001  (what it holds)
    assert np.shares_memory(block, kept)


@pytest.mark.parametrize("ending", [".npy", ".parquet"])
def test_a_file_that_was_written_anew_is_not_searched_as_the_one_before(
    vectors: NDArray[np.float32], ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"vectors{ending}"

    def write(array: NDArray[np.float32]) -> None:
        if ending == ".npy":
            np.save(path, array)
        else:
            write_parquet(path, embedding=fixed(array))

    write(vectors)
    search = SearchVectors(data=str(path), topk=1)
    query = search.prepare(vectors[7])
    assert search.is_current
    assert search.predict([query])[0].ids == [7]
    # A process that reads a memory map beyond the end of its file is killed.
    write(vectors[5:9])
    assert not search.is_current
    with pytest.raises(InvalidVectors, match="was changed after it was opened"):
        search.predict([query])
    assert SearchVectors(data=str(path), topk=1)(vectors[7]).ids == [2]


@pytest.mark.slow  # takes more than a second
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_a_file_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npy"
    shape = (300_000, 512)  # 600 MB, most of which is a hole
    np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    program = """if True:
        import sys; sys.path.insert(0, sys.argv[1])
        from pathlib import Path
        from search_vectors import SearchVectors
        SearchVectors(data=sys.argv[2])([1.0] * 512)
        status = Path("/proc/self/status").read_text()
        print(status.partition("VmHWM:")[2].split()[0])
    """
    operator = str(Path(__file__).parent.parent)
    peak = subprocess.run(  # noqa: S603  (this Python)
        [sys.executable, "-c", program, operator, str(path)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert int(peak) < 400_000  # KiB, blocks and numpy; the file has 600,000


def test_what_is_wrong_in_a_file_is_said_with_its_place(tmp_path: Path) -> None:
    vectors = np.ones((20_000, 4), np.float32)
    vectors[18_000, 2] = np.nan
    np.save(tmp_path / "nan.npy", vectors)
    np.save(tmp_path / "flat.npy", vectors.ravel())
    (tmp_path / "text.npy").write_text("no array")
    write_parquet(tmp_path / "nan.parquet", v=fixed(vectors))
    ragged = pa.array([[1.0, 2.0]] * 9_000 + [[1.0]])
    write_parquet(tmp_path / "ragged.parquet", v=ragged)
    write_parquet(tmp_path / "null.parquet", v=pa.array([[1.0], [None]]))
    write_parquet(tmp_path / "empty.parquet", v=pa.array([], pa.list_(pa.float32())))
    refusals = {
        "nan.npy": "Cannot search: vector 18000 holds NaN or infinity",
        "flat.npy": "`{}` holds float32 of shape (80000,), expected (N, D)",
        "nan.parquet": "Cannot search: vector 18000 holds NaN or infinity",
        "ragged.parquet": "Cannot search `{}`: `v` holds vectors of several lengths, "
        "or none, from row 9000 on",
        "null.parquet": "Cannot search `{}`: `v` holds vectors of several lengths, "
        "or none, from row 0 on",
        "empty.parquet": "`{}` holds no vectors under `v`",
        "vectors.csv": "Cannot search `{}`: it is no `.npy` and no `.parquet` file",
    }
    for name, message in refusals.items():
        with pytest.raises(InvalidVectors) as caught:
            SearchVectors(data=tmp_path / name)
        assert str(caught.value) == message.format(tmp_path / name)
    for name in ("text.npy", "missing.npy", "missing.parquet"):
        with pytest.raises(InvalidVectors, match=r"^Cannot read `"):
            SearchVectors(data=tmp_path / name)
