"""Exact search against faiss's flat index and numpy by hand, and a million from a file.

Data are random; every alternative must find the same neighbours.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from measure import in_turn, print_table

OPERATOR = Path(__file__).parent.parent / "reference_operators/towhee/search-vectors"
sys.path.insert(0, str(OPERATOR))

if TYPE_CHECKING:
    import faiss
    from numpy.typing import NDArray
    from search_vectors import SearchVectors

    Matrix = NDArray[np.float32]

COUNT, LENGTH, QUERIES, TOPK = 100_000, 2_048, 100, 5
MANY, SHORT = 1_000_000, 256


def random_vectors(count: int, length: int, seed: int) -> Matrix:
    """Normally distributed, float32."""
    return np.random.default_rng(seed).standard_normal((count, length), np.float32)


def by_faiss(index: faiss.Index, queries: Matrix) -> list[list[int]]:
    """Faiss's flat index."""
    return index.search(queries, TOPK)[1].tolist()  # type: ignore[no-any-return]


def by_hand(vectors: Matrix, squares: Matrix, queries: Matrix) -> list[list[int]]:
    """What one writes with numpy: a product, and the smallest of each row."""
    costs = squares - 2 * (queries @ vectors.T)
    nearest = np.argpartition(costs, TOPK, axis=1)[:, :TOPK]
    order = np.argsort(np.take_along_axis(costs, nearest, 1), axis=1)
    return np.take_along_axis(nearest, order, 1).tolist()  # type: ignore[no-any-return]


def ids(search: SearchVectors, queries: Matrix) -> list[list[int]]:
    """The operator as an executor calls it."""
    batch = [search.prepare(query) for query in queries]
    return [result.ids for result in search.predict(batch)]


def compare() -> None:
    """In memory: a hundred queries at once, and one query."""
    import faiss  # noqa: PLC0415
    from search_vectors import SearchVectors  # noqa: PLC0415

    vectors = random_vectors(COUNT, LENGTH, 0)
    vectors.setflags(write=False)
    index = faiss.IndexFlatL2(LENGTH)
    index.add(vectors)
    squares = np.einsum("nd,nd->n", vectors, vectors)
    search = SearchVectors(data=vectors, topk=TOPK)
    for count in (QUERIES, 1):
        queries = random_vectors(count, LENGTH, 1)
        alternatives = {
            "faiss IndexFlatL2": lambda queries=queries: by_faiss(index, queries),
            "numpy by hand": lambda queries=queries: by_hand(vectors, squares, queries),
            "search_vectors": lambda queries=queries: ids(search, queries),
        }
        answers = [alternative() for alternative in alternatives.values()]
        if not answers[0] == answers[1] == answers[2]:
            message = "the alternatives disagree"
            raise SystemExit(message)
        print_table(
            f"{count} of {COUNT:,} x {LENGTH:,}, top {TOPK}",
            in_turn(alternatives, rounds=5),
            count=count,
        )


def out_of_core(path: str) -> None:
    """Search a file that is never in memory; the peak shows it."""
    from search_vectors import SearchVectors  # noqa: PLC0415

    queries = random_vectors(QUERIES, SHORT, 1)
    before = _peak()
    start = time.perf_counter()
    search = SearchVectors(data=path, topk=TOPK)
    opened = time.perf_counter()
    ids(search, queries)
    done = time.perf_counter()
    size = Path(path).stat().st_size >> 20
    print(
        f"| {Path(path).suffix} | {size} MiB | {opened - start:.2f} "
        f"| {done - opened:.2f} | {before} MiB | {_peak()} MiB |"
    )


def write_files(folder: Path) -> list[Path]:
    """A million vectors, block by block, as ``.npy`` and as ``.parquet``."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    paths = [folder / "vectors.npy", folder / "vectors.parquet"]
    matrix = np.lib.format.open_memmap(
        paths[0], mode="w+", dtype=np.float32, shape=(MANY, SHORT)
    )
    schema = pa.schema({"embedding": pa.list_(pa.float32(), SHORT)})
    with parquet.ParquetWriter(
        paths[1], schema, compression="none", use_dictionary=False
    ) as writer:
        for number in range(10):
            block = random_vectors(MANY // 10, SHORT, number)
            matrix[number * len(block) : (number + 1) * len(block)] = block
            column = pa.FixedSizeListArray.from_arrays(block.ravel(), SHORT)
            writer.write_table(pa.table([column], schema))
    return paths


def main() -> None:
    """Print the tables; each file is searched in a process of its own."""
    if len(sys.argv) > 1:
        out_of_core(sys.argv[1])
        return
    compare()
    print(f"\n### {QUERIES} of {MANY:,} x {SHORT} in a file\n")
    print("| file | size | open, s | search, s | peak before | peak |")
    print("|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for path in write_files(Path(folder)):
            subprocess.run([sys.executable, __file__, str(path)], check=True)


def _peak() -> int:
    # Not getrusage, whose peak is that of the process which started this one.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


if __name__ == "__main__":
    main()
