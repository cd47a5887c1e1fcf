from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pyarrow import parquet

from towhee.vector_files import KINDS, UnwritableValue

if TYPE_CHECKING:
    from collections.abc import Mapping

FAILURES = [{"file": "b.jpg", "reason": "no such file"}]
DESCRIPTION: Mapping[str, object] = {"pipeline": "p", "steps": []}


def write(path: Path, vectors: Mapping[str, object]) -> None:
    with KINDS[path.suffix](path) as file:
        for name, vector in vectors.items():
            file.add(name, vector)
        file.complete(FAILURES, DESCRIPTION)
        file.publish()


@pytest.mark.parametrize("count", [1, 2500])
def test_npy_rows_and_the_names_beside_them_align(count: int) -> None:
    vectors = np.arange(count * 3, dtype=np.float32).reshape(count, 3)
    names = [f"{number}.jpg" for number in range(count)]
    write(Path("out.npy"), dict(zip(names, vectors, strict=True)))
    np.testing.assert_array_equal(np.load("out.npy", mmap_mode="r"), vectors)
    assert json.loads(Path("out.files.json").read_text()) == {
        "files": names,
        "failures": FAILURES,
        "description": DESCRIPTION,
    }


def test_npy_takes_arrays_of_any_one_shape() -> None:
    write(
        Path("out.npy"),
        {"a": np.ones((2, 3), np.float16), "b": np.zeros((2, 3))[:].astype(np.float16)},
    )
    assert np.load("out.npy").shape == (2, 2, 3)


def test_jsonl_has_an_object_a_line() -> None:
    write(Path("out.jsonl"), {"a.jpg": np.array([1, 0.5], np.float32), "ü": np.ones(1)})
    assert Path("out.jsonl").read_text(encoding="utf-8") == (
        '{"file": "a.jpg", "embedding": [1.0, 0.5]}\n'
        '{"file": "\\u00fc", "embedding": [1.0]}\n'
    )


def test_parquet_has_vectors_of_one_length_and_says_what_made_them() -> None:
    vectors = np.arange(2500 * 2, dtype=np.float32).reshape(2500, 2)
    write(Path("out.parquet"), {str(n): vector for n, vector in enumerate(vectors)})
    table = parquet.read_table("out.parquet")
    assert (
        str(table.schema.field("embedding").type)
        == "fixed_size_list<element: float>[2]"
    )
    assert table["file"].to_pylist() == [str(n) for n in range(2500)]
    flat = table["embedding"].combine_chunks().flatten().to_numpy()
    np.testing.assert_array_equal(flat.reshape(-1, 2), vectors)
    metadata = parquet.read_metadata("out.parquet").metadata
    assert json.loads(metadata[b"towhee"]) == {
        "description": DESCRIPTION,
        "failures": FAILURES,
    }


@pytest.mark.parametrize("suffix", KINDS)
def test_a_file_that_is_not_published_leaves_the_old_one_and_nothing_else(
    suffix: str,
) -> None:
    path = Path(f"out{suffix}")
    path.write_text("old")
    with KINDS[suffix](path) as file:
        file.add("a.jpg", np.ones(3))
    assert path.read_text() == "old"
    assert list(Path().iterdir()) == [path]


@pytest.mark.parametrize("suffix", KINDS)
def test_what_a_killed_process_left_is_swept_and_what_a_living_one_writes_is_not(
    suffix: str,
) -> None:
    program = (
        "import sys; from pathlib import Path; from towhee.vector_files import KINDS;"
        f"file = KINDS[{suffix!r}](Path('out{suffix}')); print(flush=True);"
        "sys.stdin.read()"
    )
    words = [sys.executable, "-c", program]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, **pipes) as process:  # type: ignore[call-overload]
        process.stdout.readline()
        (left,) = Path().iterdir()
        write(Path(f"out{suffix}"), {"a": np.ones(2)})
        assert left.exists()
        process.kill()
    write(Path(f"out{suffix}"), {"a": np.ones(2)})
    assert not left.exists()
    assert f"out{suffix}" in {each.name for each in Path().iterdir()}


@pytest.mark.parametrize("suffix", KINDS)
def test_a_file_that_a_disk_has_no_room_for_is_named_and_leaves_nothing(
    suffix: str,
) -> None:
    path = Path(f"out{suffix}")
    limit, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, most))
    try:
        with pytest.raises(OSError, match="too large") as refusal:
            write(
                path, {f"{n}": np.random.default_rng(n).random(9) for n in range(999)}
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    assert refusal.value.filename == str(path)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("suffix", KINDS)
def test_a_link_stays_one_and_what_it_leads_to_is_written(suffix: str) -> None:
    Path("elsewhere").mkdir()
    link, target = Path(f"out{suffix}"), Path("elsewhere", f"new{suffix}")
    link.symlink_to(target)
    write(link, {"a.jpg": np.ones(2)})
    assert link.is_symlink()
    assert target.stat().st_size
    assert [*target.parent.iterdir()] == [target]


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
def test_an_array_of_another_shape_is_refused_and_says_which_file_would_do(
    suffix: str,
) -> None:
    with KINDS[suffix](Path(f"out{suffix}")) as file:
        file.add("a.jpg", np.ones(3, np.float32))
        with pytest.raises(UnwritableValue) as caught:
            file.add("b.jpg", np.ones(2, np.float32))
    assert str(caught.value) == (
        "the result is float32 of shape (2,), the first one was float32 of shape (3,), "
        f"and `{suffix}` files hold arrays of one shape; `.jsonl` takes any"
    )


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("value", ["text", None, [[1], [1, 2]]])
def test_what_is_no_array_is_refused(suffix: str, value: object) -> None:
    with KINDS[suffix](Path(f"out{suffix}")) as file, pytest.raises(UnwritableValue):
        file.add("a.jpg", value)


def test_parquet_holds_vectors_only() -> None:
    with (
        KINDS[".parquet"](Path("out.parquet")) as file,
        pytest.raises(UnwritableValue, match=r"\(2, 2\) is no vector"),
    ):
        file.add("a.jpg", np.ones((2, 2)))
