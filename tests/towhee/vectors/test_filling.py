"""Rows become records, once each, and a job knows its own."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from vector_stores import Store, store_in

from plugin_spec.vector_stores import StoreUnavailable
from towhee import DataCollection
from towhee.outcome import OperatorFailed
from towhee.vectors.checkpoint import AnotherJob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from towhee.vectors.job import Written


def embed(number: int) -> list[float]:
    return [float(number), 1.0]


def embed_differently(number: int) -> list[float]:
    return [float(number), 2.0]


def fail_on_three(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return number


def fill(store: Store, rows: DataCollection, **options: object) -> Written:
    where = [*store.place.values()]
    written: Written = getattr(rows, f"to_{store.kind}")(*where, **options)
    return written


def counted(seen: list[int]) -> Callable[[int], list[float]]:
    def embed_and_count(number: int) -> list[float]:
        seen.append(number)
        return embed(number)

    return embed_and_count


def test_rows_are_found_by_another_process(store: Store) -> None:
    rows = DataCollection(["a", "bb", "cccc"]).map(len).map(embed)
    written = fill(store, rows, source="text", metric="L2")
    assert (written.rows, written.records, written.new) == (3, 3, 3)
    arguments = [[2.9, 1.0], {"topk": 2}]
    scores = pytest.approx([0.9, 1.1], rel=1e-5)
    expected = [[1, 2], scores, [{"text": "bb"}, {"text": "cccc"}]]
    if store.kind == "milvus":  # a file belongs to this process until it ends
        assert store.search(*arguments) == expected
    else:
        assert store.elsewhere("search", *arguments) == expected


def test_a_second_call_writes_only_what_came_after(store: Store) -> None:
    seen: list[int] = []
    function = counted(seen)
    first = fill(store, DataCollection.range(5).map(function), batch_size=2)
    again = fill(store, DataCollection.range(5).map(function), batch_size=2)
    more = fill(store, DataCollection.range(8).map(function), batch_size=2)
    assert [(each.rows, each.records, each.new) for each in (first, again, more)] == [
        (5, 5, 5),
        (5, 5, 0),
        (8, 8, 3),
    ]
    assert seen == list(range(8))
    assert store.search([7, 1], {"topk": 1})[:2] == [[7], [0.0]]


def test_columns_become_metadata(store: Store) -> None:
    rows = (
        DataCollection([{"name": "a", "n": 1}, {"name": "b", "n": 2}])
        .as_entity()
        .runas_op["n", "embedding"](embed)
        .runas_op["n", "picture"](lambda _: np.zeros((2, 2)))
    )
    options: dict[str, Any] = {"id": "name", "vector": "embedding", "metadata": ["n"]}
    assert fill(store, rows, **options).new == 2
    found = store.search([2, 1], {"topk": 1})
    assert found == [["b"], [0.0], [{"n": 2}]]


def test_tuples_are_records(tmp_path: Path) -> None:
    rows = DataCollection([("x", [1, 2]), ("y", [3, 4])])
    assert rows.to_faiss(tmp_path / "s").new == 2
    found = DataCollection([[3, 4]]).ann_search.faiss(path=tmp_path / "s", topk=1)
    assert (found[0].ids, found[0].scores) == (["y"], [0.0])
    named = rows.as_entity(["id", "vector"]).map["id", "name"](str.upper)
    assert named.to_faiss(tmp_path / "n", metadata="name").new == 2
    with pytest.raises(OperatorFailed, match=r"A tuple is id, vector and a mapping"):
        DataCollection([(1.0, 2.0, 3.0)]).to_faiss(tmp_path / "t")


def test_the_values_of_one_row_have_ids_of_their_own(tmp_path: Path) -> None:
    rows = DataCollection([[1, 2], [], [3]]).flatten().map(embed)
    written = rows.to_faiss(tmp_path / "s", batch_size=1)
    assert (written.rows, written.records) == (3, 3)
    found = DataCollection([[0, 1]]).ann_search.faiss(path=tmp_path / "s")
    assert found[0].ids == ["0-0", "0-1", "2-0"]


def test_the_first_failure_stops_and_what_came_before_is_written(store: Store) -> None:
    seen: list[int] = []
    function = counted(seen)
    rows = DataCollection.range(6).map(fail_on_three).map(function)
    with pytest.raises(OperatorFailed) as caught:
        fill(store, rows)
    assert str(caught.value) == (
        "`map(fail_on_three)` failed on row 3, 3: ValueError: three"
    )
    assert sorted(store.search([0, 1])[0]) == [0, 1, 2]
    assert seen[:3] == [0, 1, 2]


def test_a_safe_collection_records_failures_and_goes_on(store: Store) -> None:
    rows = DataCollection.range(6).exception_safe().map(fail_on_three).map(embed)
    written = fill(store, rows, batch_size=2)
    assert (written.rows, written.records) == (6, 5)
    assert [str(failure) for failure in written.failed] == [
        "`map(fail_on_three)` failed on row 3, 3: ValueError: three"
    ]
    assert sorted(store.search([0, 1], {"topk": 9})[0]) == [0, 1, 2, 4, 5]


def test_one_row_that_does_not_fit_is_named_and_costs_no_other(store: Store) -> None:
    rows = DataCollection([[1, 2], [1, 2, 3], None, [3, 4]])
    safe = rows.exception_safe().map(lambda row: row)
    written = fill(store, safe)
    length = f"`{[*store.place.values()][-1]}` holds vectors of 2 dimensions, got 3"
    assert [str(failure) for failure in written.failed] == [
        f"`to_{store.kind}` failed on row 2, None: A `NoneType` is no vector of numbers",
        f"`to_{store.kind}` failed on row 1, 1: {length}",
    ]
    assert sorted(store.search([0, 1])[0]) == [0, 3]


def test_a_value_that_its_column_cannot_hold_costs_its_row_alone(
    tmp_path: Path,
) -> None:
    rows = [{"id": n, "vector": [n, 1], "m": m} for n, m in enumerate((1, "x", 2))]
    written = (
        DataCollection(rows)
        .exception_safe()
        .map(lambda row: row)
        .to_milvus(tmp_path / "m.db", "c")
    )
    assert (written.rows, written.records) == (3, 2)
    (failure,) = written.failed
    assert str(failure) == (
        "`to_milvus` failed on row 1, 1: Record 1 has text in the column `m`, which "
        "holds int"
    )


def test_columns_that_differ_in_case_alone_cost_their_row_alone_in_faiss(
    tmp_path: Path,
) -> None:
    columns = ({"a": 1, "A": 2}, {"a": 3}, {"ID": 4}, {"A": 5})
    rows = [{"id": n, "vector": [n, 1], **more} for n, more in enumerate(columns)]
    safe = DataCollection(rows).exception_safe().map(lambda row: row)
    written = safe.to_faiss(tmp_path / "s")
    assert (written.rows, written.records) == (4, 1)
    assert [str(failure).partition(": ")[2] for failure in written.failed] == [
        "The columns `a` and `A` differ in case alone",
        "Record 2 has the column `ID`, the store has: `a`",
        "Record 3 has the column `A`, the store has: `a`",
    ]


def test_a_name_of_a_file_that_is_no_text_costs_its_row_alone(store: Store) -> None:
    rows = DataCollection(["\udcff.jpg", "b.jpg"]).exception_safe()
    written = fill(store, rows.map(len).map(embed), source="file")
    assert (written.rows, written.records) == (2, 1)
    (failure,) = written.failed
    assert str(failure) == (
        f"`to_{store.kind}` failed on row 0, [5.0, 1.0]: `file` is no UTF-8: "
        "'\\udcff.jpg'"
    )


def test_what_a_filter_drops_is_settled_too(tmp_path: Path) -> None:
    seen: list[int] = []

    def is_small(number: int) -> bool:
        seen.append(number)
        return number < 3

    rows = DataCollection.range(100).filter(is_small).map(embed)
    written = rows.to_faiss(tmp_path / "s")
    assert (written.rows, written.records) == (100, 3)
    rows.to_faiss(tmp_path / "s")
    assert seen == list(range(100))


def test_another_pipeline_is_refused_with_what_differs(store: Store) -> None:
    fill(store, DataCollection.range(3).map(embed))
    place = [*store.place.values()][-1]
    with pytest.raises(AnotherJob) as caught:
        fill(store, DataCollection.range(3).map(embed_differently))
    assert str(caught.value) == (
        f"`{place}` was begun with another pipeline\n"
        "  it was `map(embed)`, is `map(embed_differently)`"
    )
    assert caught.value.hint == (
        "Go on with the one it was begun with, or write somewhere else"
    )


def test_a_function_that_was_edited_is_another_one(tmp_path: Path) -> None:
    for number, text in enumerate(("row + 1", "row + 2")):
        scope: dict[str, Any] = {}
        exec(f"def plus(row):\n    return [{text}]", scope)  # noqa: S102  (an edit)
        rows = DataCollection.range(3).map(scope["plus"])
        if not number:
            rows.to_faiss(tmp_path / "s")
            continue
        with pytest.raises(AnotherJob, match=r"step 1, `map\(plus\)`: `code` was "):
            rows.to_faiss(tmp_path / "s")


def test_another_option_of_an_operator_is_named(tmp_path: Path) -> None:
    searched = DataCollection([[0, 1]]).towhee.search_vectors
    rows = searched(data=[[0, 1]], topk=1).map(lambda found: [*found.scores])
    rows.to_faiss(tmp_path / "s")
    rows = searched(data=[[0, 1], [2, 3]], topk=1).map(lambda found: [*found.scores])
    with pytest.raises(AnotherJob) as caught:
        rows.to_faiss(tmp_path / "s")
    assert str(caught.value) == (
        f"`{tmp_path / 's'}` was begun with another pipeline\n"
        "  step 1, `towhee/search-vectors`: `options` was {'data': [[0, 1]], 'topk': 1}, "
        "is {'data': [[0, 1], [2, 3]], 'topk': 1}\n"
        "  step 1, `towhee/search-vectors`: `vectors` was 1, is 2"
    )


@pytest.mark.parametrize(
    ("rows", "now"),
    [
        ([0, 1, 7, 3], "is 7"),
        ([0, 1], "the source ends before it"),
        ([], "the source ends before it"),
    ],
)
def test_another_source_is_refused(tmp_path: Path, rows: list[int], now: str) -> None:
    DataCollection([0, 1, 2]).map(embed).to_faiss(tmp_path / "s")
    with pytest.raises(AnotherJob) as caught:
        DataCollection(rows).map(embed).to_faiss(tmp_path / "s")
    assert str(caught.value) == (
        f"`{tmp_path / 's'}` was begun from another source: row 2 was 2, {now}"
    )


def test_a_source_is_known_by_its_last_row_alone(tmp_path: Path) -> None:
    DataCollection([[0.0], [1.0], [2.0]]).to_faiss(tmp_path / "s")
    other = DataCollection([[0.0], [9.0], [2.0], [3.0]])
    assert other.to_faiss(tmp_path / "s").new == 1
    found = DataCollection([[1.0]]).ann_search.faiss(path=tmp_path / "s", topk=1)
    assert (found[0].ids, found[0].scores) == ([1], [0.0])


def test_a_stream_is_read_as_it_is_written(tmp_path: Path) -> None:
    pulled: list[int] = []

    def source() -> Iterator[int]:
        for number in range(1000):
            pulled.append(number)
            yield number

    ahead: list[int] = []

    def watch(number: int) -> list[float]:
        ahead.append(len(pulled) - number)
        return embed(number)

    rows = DataCollection(source()).map(watch)
    assert rows.to_faiss(tmp_path / "s", batch_size=100).new == 1000
    assert max(ahead) < 300


def test_where_the_source_breaks_what_came_before_is_kept(store: Store) -> None:
    seen: list[int] = []

    def source(last: int) -> Iterator[int]:
        yield from range(last)
        if last < 9:
            raise ConnectionError("the camera is gone")

    with pytest.raises(ConnectionError, match="the camera is gone"):
        fill(store, DataCollection(source(5)).map(counted(seen)))
    assert len(store.search([0, 1], {"topk": 9})[0]) >= 4
    seen.clear()
    assert fill(store, DataCollection(source(9)).map(counted(seen))).records == 9
    # Whether the last row was whole is not known.
    assert seen in ([4, 5, 6, 7, 8], [5, 6, 7, 8])


def test_the_store_knows_what_made_its_vectors(store: Store) -> None:
    rows = DataCollection([[0.0, 1.0]]).towhee.search_vectors(data=[[0, 1]], topk=1)
    fill(store, rows.map(lambda found: [*found.scores, 1.0]))
    note = store.inserter().note()
    assert note is not None
    first, second = note["pipeline"]  # type: ignore[misc]  # JSON
    assert {key: first[key] for key in ("operator", "version", "cal", "topk")} == {
        "operator": "towhee/search-vectors",
        "version": "1.0.0",
        "cal": "L2",
        "topk": 1,
    }
    assert first["tree"].startswith("sha256:")
    assert second["function"] == "map(<lambda>)"
    assert (note["row"], note["records"], note["failed"]) == (0, 1, 0)


def test_what_is_no_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="`to_faiss` has no option `batch`"):
        DataCollection([[1]]).to_faiss(tmp_path / "s", batch=3)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="batch_size is 0, and has to be a whole"):
        DataCollection([[1]]).to_faiss(tmp_path / "s", batch_size=0)


def test_one_name_for_id_and_vector_is_refused(store: Store) -> None:
    with pytest.raises(OperatorFailed) as caught:
        fill(store, DataCollection([{"vector": [1, 2]}]), id="vector")
    assert str(caught.value) == (
        f"`to_{store.kind}` failed on row 0, {{'vector': [1, 2]}}: The id and the vector "
        "are both under `vector`"
    )


def test_numbers_of_rows_do_not_replace_the_records_of_others(store: Store) -> None:
    store.insert([(0, [9, 9]), (1, [8, 8])])
    rows = DataCollection([[1.0, 2.0]])
    with pytest.raises(OperatorFailed) as caught:
        fill(store, rows)
    assert str(caught.value) == (
        f"`to_{store.kind}` failed on row 0, [1.0, 2.0]: The row has no `id`, and its "
        "number may be that of a record which the store holds already"
    )
    assert fill(store, rows.map(lambda vector: (7, vector))).new == 1
    assert sorted(store.search([0, 0])[0]) == [0, 1, 7]


def test_ids_and_numbers_of_rows_are_not_mixed(tmp_path: Path) -> None:
    given, missing = ({"id": 1, "vector": [0.0, 1.0]}, {"id": None, "vector": [1, 1]})
    with pytest.raises(OperatorFailed) as caught:
        DataCollection([given, missing]).to_faiss(tmp_path / "s")
    assert str(caught.value).endswith(
        "The row has no `id`, and its number may be that of a record which the store "
        "holds already"
    )
    rows = DataCollection([None, missing, given, [0, 1]]).exception_safe()
    written = rows.map(lambda row: row).to_faiss(tmp_path / "t", batch_size=1)
    assert (written.records, written.new) == (2, 2)
    assert str(written.failed[1]).endswith(
        "The row has the `id` 1, which may be the number of another row: those before "
        "it have none, and got numbers"
    )


def test_a_job_that_goes_on_mixes_no_ids_and_numbers(tmp_path: Path) -> None:
    rows: list[object] = [[0.0, 1.0]]
    DataCollection(rows).to_faiss(tmp_path / "s")
    with pytest.raises(OperatorFailed, match="which may be the number of another row"):
        DataCollection([*rows, (0, [1, 1])]).to_faiss(tmp_path / "s")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["faiss", "lancedb"])
def test_a_full_disk_is_named_and_with_room_again_the_job_goes_on(
    tmp_path: Path, kind: str
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs more rights")
    try:
        store = store_in(disk, kind)
        rows = DataCollection.range(2000).map(lambda number: [float(number)] * 99)
        with pytest.raises(StoreUnavailable, match=f"^Cannot .*`{disk}/.*(full|space)"):
            fill(store, rows, source="name", batch_size=500)
        subprocess.run(["mount", "-o", "remount,size=40m", disk], check=True)
        written = fill(store, rows, source="name", batch_size=500)
        assert (written.rows, written.records) == (2000, 2000)
        assert not list(disk.rglob("*.tmp"))
    finally:
        subprocess.run(["umount", disk], check=True)
