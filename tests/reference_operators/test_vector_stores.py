"""What a store promises, each kind alike."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from vector_stores import CLASSES, Store, store_in

from plugin_spec import EmbeddingSpace
from plugin_spec.records import InvalidRecord
from plugin_spec.spaces import SpacesDiffer
from plugin_spec.vector_stores import (
    InvalidFilter,
    MissingStore,
    StoreMismatch,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDS = [
    {"id": 1, "vector": [3.0, 0.0], "file": "a.jpg", "width": 640, "tags": ["x"]},
    {"id": 2, "vector": [0.0, 4.0], "file": "b.jpg", "width": 1024, "tags": None},
    {"id": 3, "vector": [0.0, 9.0], "file": "it's", "width": None, "tags": {"y": 1}},
]


@pytest.fixture(params=CLASSES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return store_in(tmp_path, request.param)


def metadata(number: int) -> dict[str, Any]:
    record = RECORDS[number]
    return {name: record[name] for name in ("file", "width", "tags")}


def refusal(call: Callable[..., object], *arguments: object, **options: object) -> str:
    kinds = (InvalidRecord, StoreMismatch, MissingStore, InvalidFilter)
    with pytest.raises(kinds) as caught:
        call(*arguments, **options)
    return f"{type(caught.value).__name__}: {caught.value}"


def test_another_process_finds_what_this_one_wrote(store: Store) -> None:
    assert store.elsewhere("insert", RECORDS) == [1, 2, 3]
    assert store.search([0, 5]) == [
        [2, 3, 1],
        [1.0, 4.0, pytest.approx(34**0.5)],
        [metadata(1), metadata(2), metadata(0)],
    ]


def test_a_store_of_faiss_that_was_made_anew_is_another(tmp_path: Path) -> None:
    store = store_in(tmp_path, "faiss")
    store.insert([{"id": "old", "vector": [0.0, 0.0]}])
    search = store.searcher()
    assert search([0.0, 0.0]).ids == ["old"]
    shutil.rmtree(tmp_path / "photos")
    for _ in "ab":
        assert not search.is_current
        with pytest.raises(StoreUnavailable, match="was removed after it was opened"):
            search([0.0, 0.0])
        store.insert([{"id": "new", "vector": [5.0, 5.0]}])
    assert store.searcher()([0.0, 0.0]).ids == ["new"]


def test_a_table_of_lancedb_that_was_removed_is_named(tmp_path: Path) -> None:
    store = store_in(tmp_path, "lancedb")
    store.insert([{"id": 1, "vector": [0.0, 0.0]}])
    search = store.searcher()
    shutil.rmtree(tmp_path / "database")
    with pytest.raises(StoreUnavailable, match="Cannot search the table `photos` in"):
        search([0.0, 0.0])


def test_a_search_in_a_milvus_file_finds_as_many_as_it_is_asked_for(
    tmp_path: Path,
) -> None:
    store = store_in(tmp_path, "milvus")
    records = [{"id": number, "vector": [number, number % 7]} for number in range(500)]
    store.elsewhere("insert", records)
    (found, _, _) = store.search([0, 0], {"topk": 1000})
    assert sorted(found) == list(range(500))


def test_a_milvus_file_goes_on_where_a_kill_left_half_a_collection(
    tmp_path: Path,
) -> None:
    from pymilvus import MilvusClient  # noqa: PLC0415  (half a second)

    store = store_in(tmp_path, "milvus")
    folder = tmp_path / "photos.db" / "collections" / "photos"
    folder.mkdir(parents=True)
    assert store.insert([RECORDS[0]], {"metric": "cosine"}) == [1]
    client = MilvusClient(store.place["uri"])
    client.release_collection("photos")
    client.drop_index("photos", "vector")
    assert store.insert([RECORDS[1]], {"metric": "cosine"}) == [2]
    client.close()
    assert store.search([0, 5])[:2] == [[2, 1], pytest.approx([1, 0])]


def test_so_does_one_in_a_file_with_the_index_that_is_its_default(
    tmp_path: Path,
) -> None:
    from pymilvus import MilvusClient  # noqa: PLC0415  (half a second)

    store = store_in(tmp_path, "milvus")
    client = MilvusClient(store.place["uri"])
    client.create_collection("photos", dimension=2, metric_type="L2")
    rows = [{"id": number, "vector": [number, number % 7]} for number in range(500)]
    client.insert("photos", rows)
    client.flush("photos")
    # What is loaded anew has an index.
    client.release_collection("photos")
    client.load_collection("photos")
    assert len(client.search("photos", [[0.0, 0.0]], limit=500)[0]) < 500
    assert sorted(store.search([0, 0], {"topk": 500})[0]) == list(range(500))
    client.close()


@pytest.mark.parametrize(
    ("metric", "ids", "scores"),
    [
        ("L2", [1, 2, 3], [2**0.5, 13**0.5, 68**0.5]),
        ("IP", [3, 1, 2], [9.0, 6.0, 4.0]),
        ("cosine", [1, 2, 3], [2 / 5**0.5, 1 / 5**0.5, 1 / 5**0.5]),
    ],
)
def test_scores_are_distances_or_similarities(
    store: Store, metric: str, ids: list[int], scores: list[float]
) -> None:
    store.insert(RECORDS, {"metric": metric})
    found = store.search([2, 1])
    assert found[1] == pytest.approx(scores, rel=1e-5)
    assert found[0] == ids or (metric == "cosine" and found[0] == [1, 3, 2])


def test_a_filter_leaves_the_nearest_that_meet_it(store: Store) -> None:
    many = [
        {
            "id": number,
            "vector": [number, 0],
            "even": number % 2 == 0,
            "half": number / 2,
        }
        for number in range(100)
    ]
    store.insert(many)
    condition = "even = true and half > 10"
    if store.kind == "milvus":
        condition = condition.replace("=", "==")
    ids, scores, columns = store.search([0, 0], {"filter": condition, "topk": 3})
    assert (ids, scores) == ([22, 24, 26], [22.0, 24.0, 26.0])
    assert columns[0] == {"even": True, "half": 11.0}
    none = store.search([0, 0], {"filter": "half > 1000"})
    assert none == [[], [], []]


def test_a_record_whose_id_is_there_is_replaced(store: Store) -> None:
    store.insert(RECORDS)
    again = {"id": 2, "vector": [7, 7], "file": "new", "width": None, "tags": None}
    twice = {"id": 3, "vector": [1, 1], "file": "old", "width": None, "tags": None}
    store.insert([twice, again, {**twice, "vector": [8, 8], "file": "newest"}])
    ids, scores, columns = store.search([7, 7])
    assert (ids, scores[0]) == ([2, 3, 1], 0)
    assert [each["file"] for each in columns] == ["new", "newest", "a.jpg"]


def test_tuples_and_mappings_under_other_names_are_records_too(store: Store) -> None:
    options = {"id": "name", "vector": "embedding"}
    store.insert(
        [{"name": "a", "embedding": np.zeros(2), "width": np.int64(3)}], options
    )
    store.insert([("b", (3, 4)), ("c", [6, 8], {"width": 5})], options)
    ids, scores, columns = store.search([0, 0])
    assert (ids, scores) == (["a", "b", "c"], [0.0, 5.0, 10.0])
    assert columns == [{"width": 3}, {"width": None}, {"width": 5}]


def test_records_without_an_id_get_one(store: Store) -> None:
    ids = store.insert([{"vector": [number, 1]} for number in range(5)])
    assert len(set(ids)) == 5
    assert store.search([3, 1], {"topk": 1})[0] == [ids[3]]


def test_what_is_inserted_while_a_search_is_open_is_found(store: Store) -> None:
    store.insert(RECORDS)
    search = store.searcher(topk=1)
    assert search([7, 7]).ids == [3]
    store.insert([(9, [7, 7])])
    assert search([7, 7]).ids == [9]


def test_a_note_is_kept_across_a_restart(store: Store) -> None:
    operator = store.inserter()
    assert operator.note() is None
    records = [operator.prepare(record) for record in RECORDS]
    operator.insert(records[:2], note={"row": 1})
    operator.insert(records[2:], note={"row": 2, "text": "é"})
    operator.finish()
    operator.close()
    assert store.inserter().note() == {"row": 2, "text": "é"}
    assert store.search([0, 5])[0] == [2, 3, 1]


def test_many_batches_are_one_store(store: Store) -> None:
    operator = store.inserter()
    vectors = np.random.default_rng(0).standard_normal((600, 8), np.float32)
    for start in range(0, 600, 10):
        batch = [(row, vectors[row]) for row in range(start, start + 10)]
        operator.insert([operator.prepare(record) for record in batch])
    operator.close()
    for row in (0, 299, 599):
        assert store.search(vectors[row].tolist(), {"topk": 1})[:2] == [[row], [0.0]]
    operator = store.inserter()
    operator.finish()
    operator.close()
    assert store.search(vectors[5].tolist(), {"topk": 1})[0] == [5]


def test_vectors_that_do_not_fit_are_refused(store: Store) -> None:
    store.insert(RECORDS, {"metric": "cosine"})
    name = store.place["path"] if store.kind == "faiss" else "photos"
    wrong = f"StoreMismatch: `{name}` holds vectors of 2 dimensions, got 3"
    assert refusal(store.insert, [(7, [1, 2, 3])]) == wrong
    assert refusal(store.search, [1, 2, 3]) == wrong
    infinite = "InvalidRecord: A vector holds NaN or infinity"
    assert refusal(store.insert, [(7, [1, float("nan")])]) == infinite
    assert refusal(store.search, [1, float("inf")]) == infinite
    nowhere = "InvalidRecord: A vector of zeros has no cosine"
    assert refusal(store.insert, [(7, [0, 0])]) == nowhere
    assert refusal(store.search, [0, 0]) == nowhere
    metric = f"StoreMismatch: `{name}` was made with the metric `cosine`, not `L2`"
    assert refusal(store.inserter, metric="L2") == metric
    assert refusal(store.searcher, metric="L2") == metric
    assert store.search([1, 1])[0] != [7]


@pytest.mark.parametrize(
    ("metric", "length"),
    [("L2", 8e18), ("IP", 8e18), ("cosine", 8e18), ("cosine", 3e-19)],
)
def test_the_longest_and_the_shortest_vectors_are_compared_as_others(
    store: Store, metric: str, length: float
) -> None:
    vectors = [[length, 0], [-length, 0], [0, length]]
    store.insert([*enumerate(vectors)], {"metric": metric})
    assert store.search([length, 0])[0] == [0, 2, 1]


@pytest.mark.parametrize(
    ("metric", "length"),
    [("L2", 1e30), ("IP", 1e30), ("cosine", 1e30), ("cosine", 1e-30)],
)
def test_vectors_whose_squares_leave_float32_are_refused_or_scaled(
    store: Store, metric: str, length: float
) -> None:
    store.insert([(0, [1, 0]), (1, [-1, 0]), (2, [0, 1])], {"metric": metric})
    refused = (
        f"InvalidRecord: A vector of length {length} cannot be compared in float32"
    )
    if metric == "cosine":
        assert store.search([length, 0])[0] == [0, 2, 1]
    else:
        assert refusal(store.search, [length, 0]) == refused
    record = (2, [0, length])
    if (store.kind, metric) == ("faiss", "cosine"):
        store.insert([record])
        assert store.search([0, 1], {"topk": 1})[:2] == [[2], [1]]
    else:
        assert refusal(store.insert, [record], {"metric": metric}) == refused


def test_a_store_that_is_not_there_is_refused(store: Store) -> None:
    place = store.place
    assert refusal(store.searcher) == "MissingStore: There is no " + (
        f"store in `{place['path']}`"
        if store.kind == "faiss"
        else f"{[*place][1]} `photos` in `{place['uri']}`"
    )


def test_a_filter_that_names_no_column_is_refused_with_those_there_are(
    store: Store,
) -> None:
    store.insert(RECORDS)
    for condition in ("height > 3", '"height" > 3', "width >"):
        with pytest.raises(InvalidFilter) as caught:
            store.searcher(filter=condition)
        assert str(caught.value).startswith(f"Cannot filter by `{condition}`: ")
        assert caught.value.hint == ("The columns are: `id`, `file`, `width`, `tags`")


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ('"width" > 1000', [2]),
        ("\"WIDTH\" > 1000 OR \"file\" = 'it''s'", [2, 3]),
        ("file <> '\"height\"' AND width < 1000", [1]),
        ('[width] > 1000 -- "height"', [2]),
        ('`width` > /* "height" */ 1000', [2]),
        ('file = "a.jpg"', "no such column: a.jpg"),
        ("file = 'it''s' OR \"height\" > 3", "no such column: height"),
        ('width > /* it\'s */ "height"', "no such column: height"),
        ('width > "he""i`ght"', 'no such column: he"i`ght'),
    ],
)
def test_double_quotes_hold_a_name_in_a_filter_of_faiss(
    tmp_path: Path, condition: str, ids: list[int] | str
) -> None:
    store = store_in(tmp_path, "faiss")
    store.insert(RECORDS)
    if isinstance(ids, str):
        expected = f"InvalidFilter: Cannot filter by `{condition}`: {ids}"
        assert refusal(store.searcher, filter=condition) == expected
    else:
        assert sorted(store.search([0, 5], {"filter": condition})[0]) == ids


def test_values_that_no_column_holds_are_refused_and_nothing_is_written(
    store: Store,
) -> None:
    store.insert(RECORDS)
    good = {**RECORDS[0], "id": 4}
    assert refusal(store.insert, [good, {**good, "id": 5, "height": 3}]) == (
        "InvalidRecord: Record 5 has the column `height`, "
        "the store has: `file`, `width`, `tags`"
    )
    assert refusal(store.insert, [good, {**good, "id": 5, "width": "wide"}]) == (
        "InvalidRecord: Record 5 has text in the column `width`, which holds int"
    )
    assert sorted(store.search([0, 0])[0]) == [1, 2, 3]


def test_a_column_of_floats_takes_no_int_that_it_would_round(store: Store) -> None:
    store.insert([(0, [0, 1], {"m": 0.5}), (1, [1, 1], {"m": 1 << 60})])
    assert refusal(store.insert, [(2, [2, 1], {"m": (1 << 53) + 1})]) == (
        "InvalidRecord: Record 2 has 9007199254740993, which no float equals, in the "
        "column `m`, which holds float"
    )
    assert store.search([0, 1])[2] == [{"m": 0.5}, {"m": 2.0**60}]


def test_nan_among_the_metadata_is_kept_as_none(store: Store) -> None:
    values = [1.5, float("nan"), float("inf")]
    store.insert([(n, [n, 1], {"m": value}) for n, value in enumerate(values)])
    found = [{"m": 1.5}, {"m": None}, {"m": float("inf")}]
    assert store.search([0, 1])[2] == found
    store.insert([(7, [9, 9], {"m": float("nan")})])
    assert store.search([9, 9], {"topk": 1})[2] == [{"m": None}]


def test_nan_fits_in_every_column(store: Store) -> None:
    nan = float("nan")
    store.insert([(0, [0, 1], {"text": nan, "n": nan}), (1, [1, 1], {"text": "x"})])
    store.insert([(2, [2, 1], {"text": nan, "n": 0.5})])
    found = [("x", None), (None, None), (None, 0.5)]
    assert store.search([0.9, 1])[2] == [{"text": t, "n": n} for t, n in found]


@pytest.mark.parametrize(
    ("first", "later", "refused"),
    [
        ([1], 0.5, "float in the column `m`, which holds int"),
        ([None], 0.5, "float in the column `m`, which holds text"),
        ([1, 0.5, None], 7, None),
        ([[1], None], {"a": 1}, None),
        ([1, "x"], [1], None),
        (["x", [1]], 0.5, None),
        ([[1]], "x", None),
    ],
)
def test_the_first_batch_decides_what_a_column_holds(
    store: Store, first: list[object], later: object, refused: str | None
) -> None:
    if store.kind == "milvus" and str in map(type, [*first, later]):
        pytest.skip("a column of Milvus holds one type")
    store.insert([(n, [n, 1], {"m": value}) for n, value in enumerate(first)])
    record = (9, [9, 1], {"m": later})
    if refused is not None:
        expected = f"InvalidRecord: Record 9 has {refused}"
        assert refusal(store.insert, [record]) == expected
    else:
        store.insert([record])
        assert store.search([0, 1])[2] == [{"m": value} for value in (*first, later)]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ((1, "x"), "text", "int"),
        ((True, 5), "int", "bool"),
        (("x", [1]), "json", "text"),
        (([1], "x"), "text", "json"),
        (([1], 5), "int", "json"),
        ((1, "x", 0.5), "text", "float"),
    ],
)
def test_a_column_of_milvus_holds_the_type_of_its_first_value(
    tmp_path: Path, values: tuple[object, ...], kind: str, expected: str
) -> None:
    store = store_in(tmp_path, "milvus")
    records = [(n, [n, 1], {"m": value}) for n, value in enumerate(values)]
    assert refusal(store.insert, records) == (
        f"InvalidRecord: Record 1 has {kind} in the column `m`, which holds {expected}"
    )
    del records[1]
    store.insert(records)
    assert store.search([0, 1])[2] == [{"m": v} for v in (values[0], *values[2:])]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("photo.jpg", "A record has an `id`, a `vector` and metadata, got a `str`"),
        (
            {"id": 1, "vec": [1]},
            "A record has an `id`, a `vector` and metadata, got a `dict` of 'id', 'vec'",
        ),
        ((1, 2.0), "A vector has the shape (D,), got ()"),
        ((1, None), "A `NoneType` is no vector of numbers"),
        ((1, "no"), "A `str` is no vector of numbers"),
        ((1, ["1", "2"]), "A `list` is no vector of numbers"),
        ((1, [1, 2j]), "A `list` is no vector of numbers"),
        ((1, np.array([1, 2j])), "A `ndarray` is no vector of numbers"),
        ((1, [[1]]), "A vector has the shape (D,), got (1, 1)"),
        ((1.5, [1]), "An id is a number of 64 bits or a text, got 1.5"),
        (("", [1]), "An id is a number of 64 bits or a text, got ''"),
        ((1 << 63, [1]), f"An id is a number of 64 bits or a text, got {1 << 63}"),
        ((True, [1]), "An id is a number of 64 bits or a text, got True"),
        (("\udcff.jpg", [1]), "The id is no UTF-8: '\\udcff.jpg'"),
        ((1, [1], "meta"), "Metadata is a mapping, got a `str`"),
        ((1, [1], {"a b": 1}), "'a b' is no column"),
        ((1, [1], {"_distance": 1}), "'_distance' is no column"),
        ((1, [1], {"vector": 1}), "`vector` is no metadata"),
        ((1, [1], {"a": object()}), "`a` cannot hold a `object`"),
        ((1, [1], {"a": 1 << 64}), "`a` cannot hold a `int`"),
        ((1, [1], {"a": Path("\udcff.jpg")}), "`a` is no UTF-8: '\\udcff.jpg'"),
        (
            (1, [1], {"a": ["\udcff.jpg"]}),
            (
                "`a` is no JSON: 'utf-8' codec can't encode character '\\udcff' in "
                "position 2: surrogates not allowed"
            ),
        ),
        (
            (1, [1], {"a": [object()]}),
            "`a` is no JSON: Object of type object is not JSON serializable",
        ),
    ],
)
def test_what_is_no_record_is_refused(
    record: object, reason: str, tmp_path: Path
) -> None:
    operator = store_in(tmp_path, "faiss").inserter()
    assert refusal(operator.prepare, record) == f"InvalidRecord: {reason}"


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    store = store_in(tmp_path, "faiss")
    store.insert(RECORDS)
    (tmp_path / "photos/records.sqlite").write_text("no database" * 100)
    with pytest.raises(OSError, match=r"^Cannot use .*: file is not a database$"):
        store.searcher()
    shutil.rmtree(tmp_path / "photos")


def test_a_table_of_another_program_is_searched_and_added_to(tmp_path: Path) -> None:
    import lancedb  # noqa: PLC0415  (a second)

    store = store_in(tmp_path, "lancedb")
    rows = [
        {"key": n, "embedding": [float(n), 1.0], "day": dt.date(2026, 1, n)}
        for n in (1, 2)
    ]
    schema = pa.schema(
        {"key": pa.int64(), "embedding": pa.list_(pa.float32(), 2), "day": pa.date32()}
    )
    database = lancedb.connect(store.place["uri"])
    database.create_table("photos", pa.Table.from_pylist(rows, schema))
    assert refusal(store.searcher) == (
        "StoreMismatch: `photos` has no column `id`, it has `key`, `embedding`, `day`"
    )
    assert refusal(store.inserter) == refusal(store.searcher)
    names = {"id": "key", "vector": "embedding"}
    store.insert([{"key": 3, "embedding": [3, 1]}], names)
    ids, scores, columns = store.search([2.9, 1], {"id": "key", "topk": 2})
    assert ids == [3, 2]
    assert scores == pytest.approx([0.1, 0.9], rel=1e-5)
    assert columns == [{"day": None}, {"day": dt.date(2026, 1, 2)}]
    record = {"key": 4, "embedding": [4, 1], "day": "today"}
    assert refusal(store.insert, [record], names) == (
        "InvalidRecord: The column `day` of `photos` holds date32[day]: object of type "
        "<class 'str'> cannot be converted to int"
    )


SPACE = EmbeddingSpace("a/b", "tiny", "sha256:00")
OTHER = SPACE.but(preprocessing={"interpolation": "nearest"})


def test_a_store_keeps_the_space_it_was_made_for_and_refuses_another(
    store: Store,
) -> None:
    shared = store.inserter()
    assert shared.held_space is None
    # The operator is shared by chains; each has one of its own for its space.
    inserting = shared.for_space(SPACE)
    inserting.insert([inserting.prepare({"id": 1, "vector": [1, 0]})], note={"row": 1})
    assert shared.held_space == inserting.held_space == SPACE
    assert inserting.note() == {"row": 1}
    with pytest.raises(SpacesDiffer) as caught:
        shared.for_space(OTHER)
    name = [*store.place.values()][-1]
    assert str(caught.value) == (
        f"`{name}` holds vectors of another space than those that come\n"
        "  interpolation: none, nearest"
    )
    rough = shared.for_space(SPACE.but(precision="bfloat16"))
    rough.insert([rough.prepare({"id": 2, "vector": [0, 1]})])
    shared.insert([shared.prepare({"id": 3, "vector": [1, 1]})])
    search = store.searcher()
    assert search.held_space == SPACE
    assert search.for_space(SPACE) is search
    with pytest.raises(SpacesDiffer):
        search.for_space(OTHER)
    mixed = store.searcher(allow_mixed_spaces=True)
    assert mixed.for_space(OTHER)([1, 0]).ids[0] == 1
    for operator in (search, mixed, shared):
        operator.close()


@pytest.mark.slow
def test_of_two_that_make_a_store_at_once_the_second_is_held_to_the_first(
    store: Store,
) -> None:
    shared = store.inserter()
    first, second = shared.for_space(SPACE), shared.for_space(OTHER)
    first.insert([first.prepare({"id": 1, "vector": [1, 0]})])
    with pytest.raises(SpacesDiffer):
        second.insert([second.prepare({"id": 2, "vector": [0, 1]})])
    assert shared.held_space == SPACE
    assert store.searcher()([1, 0]).ids == [1]


@pytest.mark.slow
def test_a_store_of_plain_vectors_says_no_space_and_is_given_none_later(
    store: Store,
) -> None:
    shared = store.inserter()
    shared.insert([shared.prepare({"id": 1, "vector": [1, 0]})])
    later = shared.for_space(SPACE)
    later.insert([later.prepare({"id": 2, "vector": [0, 1]})])
    # Its first vectors may be of any: the store goes on saying nothing.
    assert later.held_space is None
    shared.close()
