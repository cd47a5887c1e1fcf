"""Where float32 ends, the answer is still that of float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_vectors import InvalidVectors, SearchResult, SearchVectors

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

CALCULATIONS = ["L2", "IP", "cosine"]


def random_vectors(count: int, length: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, length)).astype(np.float32)


def brute_force(
    data: NDArray[Any], query: NDArray[Any], cal: str, topk: int
) -> SearchResult:
    """Every score in float64; Python's sort keeps the smaller id first."""
    data, query = data.astype(np.float64), query.astype(np.float64)
    if cal == "L2":
        scores = np.sqrt(((data - query) ** 2).sum(axis=1))
        ids = sorted(range(len(data)), key=lambda id_: scores[id_])[:topk]
    else:
        if cal == "cosine":
            data = data / np.linalg.norm(data, axis=1, keepdims=True)
            query = query / np.linalg.norm(query)
        scores = data @ query
        ids = sorted(range(len(data)), key=lambda id_: -scores[id_])[:topk]
    return SearchResult(ids, scores[ids].tolist())


def refusal(
    call: Callable[..., object], *arguments: object, **options: object
) -> tuple[str, str | None]:
    with pytest.raises(InvalidVectors) as caught:
        call(*arguments, **options)
    return str(caught.value), caught.value.hint


@pytest.mark.parametrize("cal", CALCULATIONS)
@pytest.mark.parametrize(
    ("count", "length", "topk"), [(1, 1, 1), (7, 3, 5), (500, 2048, 5), (3000, 64, 40)]
)
def test_results_are_those_of_brute_force_in_float64(
    cal: str, count: int, length: int, topk: int
) -> None:
    data = random_vectors(count, length, seed=1)
    search = SearchVectors(data=data, cal=cal, topk=topk)
    for query in random_vectors(20, length, seed=2):
        result = search(query)
        expected = brute_force(data, query, cal, topk)
        assert result.ids == expected.ids
        assert result.scores == pytest.approx(expected.scores, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("cal", CALCULATIONS)
def test_results_are_exact_where_all_vectors_are_almost_equal(cal: str) -> None:
    data = 1 + 1e-4 * random_vectors(400, 512, seed=3)
    search = SearchVectors(data=data, cal=cal, topk=400)
    scores = np.array(search(data[7]).scores)
    steps = np.diff(scores)
    assert (steps >= 0).all() if cal == "L2" else (steps <= 0).all()
    few = SearchVectors(data=data, cal=cal, topk=9)
    assert few(data[7]).scores == scores[:9].tolist()


@given(
    st.lists(st.tuples(*[st.integers(-3, 3)] * 3), min_size=1, max_size=30),
    st.tuples(*[st.integers(-3, 3)] * 3),
    st.integers(1, 8),
    st.integers(-35, 35),
    st.sampled_from(["L2", "IP"]),
)
@settings(deadline=None, database=None)
def test_every_order_and_tie_is_exact_at_every_size_of_number(
    rows: list[tuple[int, ...]], query: tuple[int, ...], topk: int, power: int, cal: str
) -> None:
    data = np.array(rows, np.float32) * np.float32(2.0**power) ** 3
    asked = np.array(query, np.float32) * np.float32(2.0**power) ** 3
    result = SearchVectors(data=data, cal=cal, topk=topk)(asked)
    assert result == brute_force(data, asked, cal, topk)


@pytest.mark.parametrize("cal", CALCULATIONS)
@pytest.mark.parametrize("size", [1e-30, 1e-3, 1.0, 1e25])
def test_nothing_is_lost_where_squares_leave_float32(cal: str, size: float) -> None:
    data = random_vectors(50, 8, seed=4) * np.float32(size)
    result = SearchVectors(data=data, cal=cal, topk=50)(data[3])
    assert sorted(result.ids) == list(range(50))
    assert result.ids == brute_force(data, data[3], cal, 50).ids


@pytest.mark.parametrize("cal", CALCULATIONS)
def test_ties_go_to_the_smaller_id(cal: str) -> None:
    data = np.ones((1000, 16), np.float32)
    data[100] = 5
    search = SearchVectors(data=data, cal=cal, topk=10)
    first = {"L2": list(range(10)), "IP": [100, *range(9)], "cosine": list(range(10))}
    assert search(np.ones(16)).ids == first[cal]


@pytest.mark.parametrize("cal", CALCULATIONS)
def test_blocks_do_not_show(cal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_vectors(100, 6, seed=5)
    data[50:] = data[:50]  # every vector has its twin in another block
    queries = random_vectors(10, 6, seed=6)
    search = SearchVectors(data=data, cal=cal, topk=9)
    at_once = [search(query) for query in queries]
    monkeypatch.setattr("search_vectors.search._ALONE", 1)
    for block in (1, 7, 50, 99, 100):
        monkeypatch.setattr("search_vectors.search._BLOCK", block)
        assert [search(query) for query in queries] == at_once


def test_five_are_found_by_distance_if_nothing_is_said() -> None:
    assert SearchVectors(data=np.eye(9))(np.eye(9)[8]).ids == [8, 0, 1, 2, 3]


def test_what_was_given_stays_as_it_is() -> None:
    data = random_vectors(5, 4, seed=9)
    kept = data.copy()
    query = data[0].copy()
    SearchVectors(data=data, cal="cosine")(query)
    assert np.array_equal(data, kept)
    assert np.array_equal(query, kept[0])


def test_describe_says_what_decides_the_results() -> None:
    search = SearchVectors(data=np.eye(4), cal="cosine", topk=9)
    assert search.describe() == {
        "cal": "cosine",
        "topk": 4,
        "vectors": 4,
        "length": 4,
    }


def test_data_of_several_lengths_is_refused_by_its_row() -> None:
    assert refusal(SearchVectors, data=[[1, 2], [1, 2], [1, 2, 3]]) == (
        "Cannot search: vector 2 has 3 dimensions, the data 2",
        "Embed queries and data with one operator and the same options",
    )


def test_complex_data_are_refused() -> None:
    assert refusal(SearchVectors, data=np.array([[1, 2j], [1, 2]]))[0] == (
        "Cannot search: vector 0 is no vector of numbers"
    )


def test_a_query_of_another_length_is_refused() -> None:
    search = SearchVectors(data=[[1, 2, 3]])
    assert refusal(search, [1, 2]) == (
        "Cannot search: the query has 2 dimensions, the data 3",
        "Embed queries and data with one operator and the same options",
    )


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("photo.jpg", "is no vector of numbers"),
        ({"a": 1}, "is no vector of numbers"),
        ([[1], [2, 3]], "is no vector of numbers"),
        (["1", "2"], "is no vector of numbers"),
        ([1, 2j], "is no vector of numbers"),
        (np.array([1, 2j]), "is no vector of numbers"),
        ([1, None], "is no vector of numbers"),
        (3.0, "has the shape (), expected (D,)"),
        ([], "has the shape (0,), expected (D,)"),
        ([[1, 2]], "has the shape (1, 2), expected (D,)"),
        ([1, float("nan")], "holds NaN or infinity"),
        ([1, float("inf")], "holds NaN or infinity"),
        ([1, 1e300], "holds NaN or infinity"),
    ],
)
def test_what_is_no_vector_is_refused(item: object, reason: str) -> None:
    assert refusal(SearchVectors, data=[[1, 2], item])[0] == (
        f"Cannot search: vector 1 {reason}"
    )
    assert refusal(SearchVectors(data=[[1, 2]]), item)[0] == (
        f"Cannot search: the query {reason}"
    )
