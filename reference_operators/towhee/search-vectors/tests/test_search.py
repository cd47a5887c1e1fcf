from __future__ import annotations

import pickle

import numpy as np
import pytest
from search_vectors import InvalidVectors, SearchResult, SearchVectors

RANDOM = np.random.default_rng(0)


def naive(data: np.ndarray, query: np.ndarray, cal: str) -> np.ndarray:
    """Scores by the definition, in float64."""
    data, query = data.astype(np.float64), query.astype(np.float64)
    if cal == "L2":
        return np.sqrt(((data - query) ** 2).sum(axis=1))
    if cal == "cosine":
        data = data / np.linalg.norm(data, axis=1, keepdims=True)
        query = query / np.linalg.norm(query)
    return data @ query


@pytest.mark.parametrize("cal", ["L2", "IP", "cosine"])
@pytest.mark.parametrize("count", [3, 1000, 40_000])
def test_results_are_those_of_the_definition(cal: str, count: int) -> None:
    data = RANDOM.normal(size=(count, 16)).astype(np.float32)
    queries = RANDOM.normal(size=(9, 16)).astype(np.float32)
    search = SearchVectors(data=data, cal=cal, topk=7)
    results = search.predict([search.prepare(query) for query in queries])
    for query, result in zip(queries, results, strict=True):
        scores = naive(data, query, cal)
        order = np.argsort(scores if cal == "L2" else -scores, kind="stable")[:7]
        assert result.ids == order.tolist()
        np.testing.assert_allclose(result.scores, scores[order], rtol=1e-6, atol=1e-6)


def test_a_row_does_not_depend_on_the_rows_beside_it() -> None:
    data = RANDOM.normal(size=(5000, 64)).astype(np.float32)
    search = SearchVectors(data=data)
    assert search.predict(data[:50]) == [search(query) for query in data[:50]]


def test_a_vector_is_at_distance_zero_from_itself() -> None:
    data = RANDOM.normal(100, 1e-3, size=(500, 128)).astype(np.float32)
    search = SearchVectors(data=data, topk=1)
    for row, query in enumerate(data):
        assert search(query) == SearchResult([row], [0.0])


def test_near_copies_are_told_apart() -> None:
    query = np.full(64, 1000, np.float32)
    data = np.stack([np.nextafter(query, np.float32(step)) for step in (0, 2000)])
    data[1, 1:] = query[1:]
    result = SearchVectors(data=data, topk=2)(query)
    assert result.ids == [1, 0]
    assert 0 < result.scores[0] < result.scores[1]


@pytest.mark.parametrize("cal", ["L2", "IP", "cosine"])
def test_ties_go_to_the_smaller_id_across_blocks(cal: str) -> None:
    data = np.tile(np.array([[1, 2], [3, 4]], np.float32), (20_000, 1))
    result = SearchVectors(data=data, cal=cal, topk=4)(data[0])
    assert [position % 2 for position in result.ids] == [int(cal == "IP")] * 4
    assert result.ids == sorted(result.ids)
    assert result.ids[0] < 2


def test_more_than_the_data_has_gives_what_there_is() -> None:
    result = SearchVectors(data=[[0, 0], [3, 4]], topk=5)([0, 0])
    assert result == SearchResult([0, 1], [0.0, 5.0])
    assert len(result) == 2


def test_data_may_be_any_iterable_and_is_read_once() -> None:
    rows = ([float(number), 0.0] for number in range(4))
    search = SearchVectors(data=rows, topk=1)
    assert [search([x, 0]).ids for x in (0.2, 2.9)] == [[0], [3]]


@pytest.mark.parametrize(
    ("cal", "same"), [("l2", "L2"), ("ip", "IP"), ("COSINE", "cosine")]
)
def test_either_case_means_the_same(cal: str, same: str) -> None:
    data = [[1.0, 0.0], [5.0, 5.0]]
    assert SearchVectors(data=data, cal=cal)([1, 0]) == (
        SearchVectors(data=data, cal=same)([1, 0])
    )
    assert SearchVectors(data=data, cal=cal).describe()["cal"] == same


def test_later_changes_of_the_data_change_nothing() -> None:
    data = np.eye(3, dtype=np.float32)
    search = SearchVectors(data=data, topk=1)
    data[:] = 0
    assert search([0, 1, 0]) == SearchResult([1], [0.0])


def test_a_result_is_plain_readable_and_picklable() -> None:
    result = SearchVectors(data=[[0, 3], [4, 0]], topk=2)([0, 0])
    assert repr(result) == "SearchResult(ids=[0, 1], scores=[3.0, 4.0])"
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301  (our own)


@pytest.mark.parametrize(
    ("data", "cal", "message"),
    [
        ([], "L2", "There are no vectors to search"),
        (
            [[1, 2], [1, 2, 3]],
            "L2",
            "Cannot search: vector 1 has 3 dimensions, the data 2",
        ),
        ([[1, 2], "no"], "L2", "Cannot search: vector 1 is no vector of numbers"),
        ([1, 2], "L2", "Cannot search: vector 0 has the shape (), expected (D,)"),
        ([[]], "L2", "Cannot search: vector 0 has the shape (0,), expected (D,)"),
        (
            [[0, 1], [0, float("nan")]],
            "IP",
            "Cannot search: vector 1 holds NaN or infinity",
        ),
        (
            [[0, 1], [0, 0]],
            "cosine",
            "Cannot search by cosine: data holds a vector of zeros",
        ),
    ],
)
def test_data_that_cannot_be_compared_is_refused(
    data: object, cal: str, message: str
) -> None:
    with pytest.raises(InvalidVectors) as caught:
        SearchVectors(data=data, cal=cal)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ([1, 2, 3], "Cannot search: the query has 3 dimensions, the data 2"),
        ([1, float("inf")], "Cannot search: the query holds NaN or infinity"),
        ([[1, 2]], "Cannot search: the query has the shape (1, 2), expected (D,)"),
        ([0, 0], "Cannot search by cosine: the query holds a vector of zeros"),
    ],
)
def test_a_query_that_cannot_be_compared_is_refused(
    query: object, message: str
) -> None:
    with pytest.raises(InvalidVectors) as caught:
        SearchVectors(data=[[1, 2]], cal="cosine")(query)
    assert str(caught.value) == message
