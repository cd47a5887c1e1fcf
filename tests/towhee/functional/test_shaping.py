"""Batches, windows, sums, splits: what is in them, what they pull, and what fails."""

from __future__ import annotations

import copy
import gc
import pickle
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest

import towhee
from towhee import DataCollection
from towhee.columns import Entity
from towhee.functional.limits import whole
from towhee.maybe import Some
from towhee.outcome import OperatorFailed
from towhee.rows import StreamConsumed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Make = Callable[[list[Any]], DataCollection]


def as_list(rows: list[Any]) -> DataCollection:
    return DataCollection(rows)


def as_stream(rows: list[Any]) -> DataCollection:
    return DataCollection(iter(rows))


both = pytest.mark.parametrize("make", [as_list, as_stream])


class Source:
    """An iterator that notes what was pulled, and whether it was closed."""

    def __init__(self, rows: int) -> None:
        self.rows, self.pulled, self.closed = rows, 0, False

    def __call__(self) -> Iterator[int]:
        try:
            for number in range(self.rows):
                self.pulled += 1
                yield number
        finally:
            self.closed = True


def reciprocal(number: int) -> float:
    return 1 / number


def unsafe(rows: list[Any]) -> list[Any]:
    """The values of what succeeded, and ``None`` for what failed."""
    return [row.get_or_else(None) for row in rows]


@both
def test_several_functions_give_several_collections(make: Make) -> None:
    doubled, text, pair = make([1, 2]).map(lambda n: n * 2, str, lambda n: (n, n))
    assert doubled.to_list() == [2, 4]
    assert text.to_list() == ["1", "2"]
    assert pair.to_list() == [(1, 1), (2, 2)]
    assert doubled.is_stream == make([]).is_stream


@both
def test_several_functions_read_and_compute_rows_once(make: Make) -> None:
    seen: list[int] = []

    def noted(number: int) -> int:
        seen.append(number)
        return number

    first, second = make([1, 2, 3]).map(noted).map(str, float)
    assert first.to_list() == ["1", "2", "3"]
    assert second.to_list() == [1.0, 2.0, 3.0]
    assert seen == [1, 2, 3]


def test_shared_rows_keep_no_more_than_what_lies_between_their_readers() -> None:
    numbers = DataCollection(iter(range(100_000)))
    negative, positive = numbers.map(lambda n: -n, lambda n: n)
    tracemalloc.start()
    assert sum(n + m for n, m in negative.zip(positive)) == 0
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


def test_rows_are_not_kept_for_a_collection_that_is_gone() -> None:
    first, second = DataCollection(iter(range(100_000))).map(abs, abs)
    del second
    gc.collect()
    tracemalloc.start()
    for _ in first:
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


def test_a_stream_that_can_be_read_again_still_can_when_it_is_shared() -> None:
    first, second = DataCollection.range(3).map(abs, str)
    assert first.to_list() == first.to_list() == [0, 1, 2]
    assert second.to_list() == second.to_list() == ["0", "1", "2"]
    once, other = DataCollection(iter("ab")).map(ord, str)
    assert once.to_list() == [97, 98]
    with pytest.raises(StreamConsumed):
        once.to_list()
    assert other.to_list() == ["a", "b"]


def test_a_failure_above_reaches_every_reader() -> None:
    first, second = DataCollection(iter([1, 0])).map(reciprocal).map(abs, str)
    for reader in (first, second):
        with pytest.raises(
            OperatorFailed, match=r"`map\(reciprocal\)` failed on row 1"
        ):
            reader.to_list()


def test_shared_rows_that_were_interrupted_are_not_taken_for_all() -> None:
    def interrupted() -> Iterator[int]:
        yield 1
        raise KeyboardInterrupt

    for reader in DataCollection(interrupted()).map(abs, str):
        with pytest.raises(KeyboardInterrupt):
            reader.to_list()


@both
def test_shared_rows_that_failed_stay_failures(make: Make) -> None:
    safe = make([1, 0]).exception_safe().map(reciprocal)
    first, second = safe.map(abs, str)
    assert unsafe(first.to_list()) == [1.0, None]
    assert unsafe(second.to_list()) == ["1.0", None]


def test_shared_rows_can_be_pickled_and_copied() -> None:
    first, _ = DataCollection.range(3).map(abs, str)
    assert pickle.loads(pickle.dumps(first)).to_list() == [0, 1, 2]  # noqa: S301  (our own)
    assert copy.deepcopy(first).to_list() == [0, 1, 2]


BRANCHES: list[Callable[[DataCollection], DataCollection]] = [
    lambda rows: rows.zip(rows.map(str)),
    lambda rows: rows.map(str).zip(rows),
    lambda rows: rows.map(str).zip(rows.map(float)),
    lambda rows: rows.set_parallel(2).map(str).zip(rows.map(float)),
    lambda rows: rows.batch(1).map(str).zip(rows.map(str).batch(1)),
    lambda rows: rows.exception_safe().map(str).zip(rows).drop_empty(),
    lambda rows: rows.map(str, str)[0].zip(rows),
    lambda rows: rows.as_entity("a").combine(rows.map(str).as_entity("b")).as_raw(),
]


@pytest.mark.parametrize("branch", BRANCHES)
def test_branches_of_a_list_stay_paired_and_compute_it_once(
    branch: Callable[[DataCollection], DataCollection],
) -> None:
    source, seen = Source(9), list[object]()
    rows = DataCollection(source()).unstream().map(lambda n: seen.append(n) or object())
    pairs = branch(rows.map(id)).to_list()
    for left, right in pairs:
        assert str(left).strip("'[]") == str(right).strip("'[]").removesuffix(".0")
    assert (len(pairs), len(seen)) == (9, 9)


def test_a_sum_computes_what_its_parts_go_on_from_once() -> None:
    seen: list[int] = []
    rows = DataCollection([0, 1, 2]).map(lambda n: seen.append(n) or n)
    whole = rows.map(str) + rows.filter(bool) + rows.map(float)
    assert whole.to_list() == ["0", "1", "2", 1, 2, 0.0, 1.0, 2.0]
    assert seen == [0, 1, 2]


def test_chance_leaves_a_list_what_it_is() -> None:
    for rows in (
        DataCollection(range(99)).shuffle(),
        DataCollection(range(99)).sample(0.5),
    ):
        assert rows.map(str).to_list() == [str(n) for n in rows]
        assert (
            rows.zip(rows.map(str)).map(lambda p: str(p[0]) == p[1]).count(False) == 0
        )
        again = pickle.loads(pickle.dumps(rows))  # noqa: S301  (our own)
        assert again.to_list() == rows.to_list()


def test_a_shared_list_that_was_left_or_failed_is_computed_anew() -> None:
    closed, broken = list[int](), [True]

    def rows() -> Iterator[int]:
        try:
            yield from range(4)
        finally:
            closed.append(1)

    def check(number: int) -> int:
        if number == 2 and broken:
            raise ValueError("not yet")
        return number

    class Again:
        def __iter__(self) -> Iterator[int]:
            return rows()

    left, right = DataCollection(Again()).unstream().map(check).map(str, float)
    both = left.zip(right)
    assert (both.head(1).to_list(), len(closed)) == ([("0", 0.0)], 1)
    with pytest.raises(OperatorFailed, match="`map\\(check\\)` failed on row 2, 2"):
        both.to_list()
    broken.clear()
    assert both.to_list() == [(str(n), float(n)) for n in range(4)]
    assert len(closed) == 3


def test_branches_keep_the_numbers_of_a_shared_list_after_a_filter() -> None:
    odd = DataCollection(range(4)).filter(lambda n: n % 2)
    both = odd.map(lambda n: 1 / (n - 3)).zip(odd.map(str))
    with pytest.raises(OperatorFailed, match="failed on row 3, 3"):
        both.to_list()


@both
def test_branches_can_be_read_in_several_threads(make: Make) -> None:
    rows, calls = list(range(500)), list[int]()

    def note(number: int) -> int:
        calls.append(number)
        time.sleep(0)
        return number

    branches = make(rows).map(note).map(int, int, int)
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(list, branches)) == [rows] * 3
    assert calls == rows


def test_map_without_a_function_is_refused() -> None:
    with pytest.raises(TypeError) as caught:
        DataCollection([1]).map()
    assert str(caught.value) == "map takes a function, or several"


def test_dropping_empty_rows_in_a_filter_keeps_the_rest_safe() -> None:
    safe = DataCollection(["1", "x", "0", "-1"]).exception_safe().map(int)
    kept = safe.filter(lambda n: 1 / n > 0, drop_empty=True)
    assert kept.to_list() == [Some(1)]
    assert unsafe(safe.filter(lambda n: 1 / n > 0).to_list()) == [1, None, None]
    later = kept.map(lambda n: 1 / (n - 1))
    assert unsafe(later.to_list()) == [None]
    assert DataCollection([1, 2]).filter(bool, drop_empty=True).to_list() == [1, 2]


@both
def test_flatten_opens_one_level_and_leaves_text_alone(make: Make) -> None:
    row = Entity(a=1)
    rows = [[1, [2]], (3,), "ab", b"cd", {"k": 1}, row, [], 5, range(2), np.arange(2)]
    flat = make([*rows, np.array(7)]).flatten().to_list()
    assert flat == [1, [2], 3, "ab", b"cd", {"k": 1}, row, 5, 0, 1, 0, 1, 7]


def test_flatten_of_a_column_repeats_the_others() -> None:
    rows = [Entity(id=1, boxes=["a", "b"]), Entity(id=2, boxes=[])]
    source = DataCollection(rows)
    assert source.flatten["boxes", "box"]().map["box", "box"](str.upper).to_list() == [
        Entity(id=1, boxes=["a", "b"], box="A"),
        Entity(id=1, boxes=["a", "b"], box="B"),
    ]
    assert source.flatten("boxes").to_list() == [
        Entity(id=1, boxes="a"),
        Entity(id=1, boxes="b"),
    ]
    assert rows == [Entity(id=1, boxes=["a", "b"]), Entity(id=2, boxes=[])]


def test_flatten_of_several_columns_takes_their_items_together() -> None:
    rows = DataCollection([Entity(a=[1, 2], b="xy")]).map["b", "b"](list)
    assert rows.flatten("a", "b").to_list() == [Entity(a=1, b="x"), Entity(a=2, b="y")]
    uneven = DataCollection([Entity(a=[1, 2], b=["x"])]).flatten("a", "b")
    with pytest.raises(OperatorFailed, match="row 0"):
        uneven.to_list()


def test_flatten_of_a_safe_collection_goes_past_failures() -> None:
    safe = DataCollection([1, 0, 2]).exception_safe()
    flat = safe.map(lambda n: [1 / n] * n).flatten()
    assert unsafe(flat.to_list()) == [1.0, None, 0.5, 0.5]


@both
@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1, [[0], [1], [2], [3], [4]]),
        (2, [[0, 1], [2, 3], [4]]),
        (5, [[0, 1, 2, 3, 4]]),
        (9, [[0, 1, 2, 3, 4]]),
    ],
)
def test_batches(make: Make, size: int, expected: list[list[int]]) -> None:
    rows = list(range(5))
    assert make(rows).batch(size).to_list() == expected
    full = [batch for batch in expected if len(batch) == size]
    assert make(rows).batch(size, drop_tail=True).to_list() == full
    assert make(rows).batch(size).flatten().to_list() == rows


@both
def test_a_batch_of_one_entity_is_a_list_of_one_entity(make: Make) -> None:
    rows = [Entity(a=1), Entity(a=2)]
    assert make(rows).batch(1).to_list() == [[rows[0]], [rows[1]]]
    assert make(rows).batch(2).map(len).to_list() == [2]


def test_a_batch_pulls_its_own_rows_and_no_more() -> None:
    source = Source(100)
    batches = iter(DataCollection(source()).batch(3))
    assert next(batches) == [0, 1, 2]
    assert source.pulled == 3


def test_failures_go_past_batches_and_none_is_lost() -> None:
    safe = DataCollection([1, 0, 2, 4, 0]).exception_safe().map(reciprocal)
    rows = safe.batch(2).to_list()
    assert [row.get() for row in rows if row.is_some()] == [[1.0, 0.5], [0.25]]
    assert [row.row for row in rows if row.is_empty()] == [1, 4]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((3,), [[0, 1, 2], [1, 2, 3], [2, 3, 4]]),
        ((3, 1, False), [[0], [0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4]]),
        ((3, 1, True, False), [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4], [4]]),
        ((2, 2, False, False), [[0], [0, 1], [2, 3], [4]]),
        ((2, 4, False, False), [[0], [0, 1], [4]]),
        ((2, 3), [[0, 1], [3, 4]]),
        ((1,), [[0], [1], [2], [3], [4]]),
        ((6,), []),
        ((6, 1, False), [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3, 4]]),
    ],
)
@both
def test_windows(make: Make, arguments: tuple[Any, ...], expected: list[Any]) -> None:
    assert make(list(range(5))).rolling(*arguments).to_list() == expected


def test_what_a_reader_does_to_a_window_is_not_seen_in_the_next() -> None:
    windows = iter(
        DataCollection(range(4)).rolling(2, drop_head=False, drop_tail=False)
    )
    seen = []
    for window in windows:
        seen.append(list(window))
        window.clear()
    assert seen == [[0], [0, 1], [1, 2], [2, 3], [3]]


def test_an_endless_stream_rolls_in_constant_memory() -> None:
    assert DataCollection(count()).rolling(2, 1000).head(2).to_list() == [
        [0, 1],
        [1000, 1001],
    ]


@pytest.mark.parametrize("number", [0, -1, 1.5, "2", None, True])
def test_sizes_that_are_none_are_refused_at_once_in_one_sentence(
    number: object,
) -> None:
    rows = DataCollection(iter([1]))
    for name, ask in {
        "size": rows.batch,
        "step": lambda value: rows.rolling(2, value),
        "buffer": lambda value: rows.shuffle(buffer=value),
    }.items():
        with pytest.raises(ValueError, match="whole number") as caught:
            ask(number)
        assert (
            str(caught.value)
            == f"{name} is {number!r}, and has to be a whole number, 1 or more"
        )
    assert whole("size", np.int64(3)) == 3


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan")])
def test_ratios_that_are_none_are_refused_at_once(ratio: float) -> None:
    rows = DataCollection([1])
    for ask in (rows.sample, lambda value: rows.split_train_test((value, 0.0))):
        with pytest.raises(ValueError, match="from 0 to 1") as caught:
            ask(ratio)
        assert str(caught.value).endswith(f" is {ratio!r}, and has to be from 0 to 1")
    with pytest.raises(ValueError, match=r"the sum of size is 1\.2"):
        rows.split_train_test((0.9, 0.3))
    with pytest.raises(ValueError, match="count is -1"):
        rows.head(-1)


@both
def test_head_pulls_exactly_what_it_gives_through_every_arrangement(make: Make) -> None:
    for size, arrange in {
        4: lambda rows: rows.batch(2),
        3: lambda rows: rows.rolling(2),
        2: lambda rows: rows.zip(range(9)),
        1: lambda rows: rows.map(lambda n: [n] * 3).flatten(),
    }.items():
        source = Source(100)
        rows = arrange(DataCollection(source())).head(2)
        assert len(rows.to_list()) == 2
        assert source.pulled == size


@pytest.mark.parametrize("backend", ["thread", "process"])
def test_head_pulls_exactly_what_it_gives_through_workers(
    backend: Literal["thread", "process"],
) -> None:
    source = Source(100)
    rows = DataCollection(source()).set_parallel(2, backend).map(str)
    assert rows.head(2).to_list() == ["0", "1"]
    assert source.pulled == 2


def test_an_abandoned_stream_closes_its_source() -> None:
    for arrange in (
        lambda rows: rows.map(str).batch(2),
        lambda rows: rows.rolling(2).flatten(),
        lambda rows: rows.zip(rows.range(9)),
        lambda rows: rows.exception_safe().map(reciprocal).batch(1),
        lambda rows: rows.map(str, abs)[0],
        lambda rows: rows + DataCollection([1]),
        lambda rows: rows.sample(1.0).shuffle(buffer=2),
    ):
        source = Source(100)
        iterator = iter(arrange(DataCollection(source())))
        next(iterator)
        assert not source.closed
        iterator.close() if hasattr(iterator, "close") else None
        del iterator
        gc.collect()
        assert source.closed


@both
def test_zip_ends_with_the_shortest(make: Make) -> None:
    assert make([1, 2, 3]).zip([4, 5], iter([6, 7, 8])).to_list() == [
        (1, 4, 6),
        (2, 5, 7),
    ]


def test_zip_with_a_stream_is_a_stream_whichever_it_is() -> None:
    assert DataCollection([1]).zip(iter([2])).is_stream
    assert DataCollection(iter([1])).zip([2]).is_stream
    assert len(DataCollection([1]).zip([2])) == 1


def test_zip_keeps_together_what_belongs_together_when_rows_fail() -> None:
    safe = DataCollection([1, 0, 2]).exception_safe().map(reciprocal)
    for rows in (safe.zip(["a", "b", "c"]), DataCollection([9, 9, 9]).zip(safe)):
        assert [row.is_empty() for row in rows] == [False, True, False]
    assert unsafe(safe.zip(["a", "b", "c"]).map(len).to_list()) == [2, None, 2]
    assert unsafe(DataCollection(["a", "b", "c"]).zip(safe).to_list()) == [
        ("a", 1.0),
        None,
        ("c", 0.5),
    ]


def test_an_iterator_that_is_zipped_with_itself_says_that_it_gives_rows_once() -> None:
    stream = DataCollection(iter([1, 2]))
    with pytest.raises(StreamConsumed):
        stream.zip(stream).to_list()


@both
def test_combine_reads_each_row_once(make: Make) -> None:
    rows = make([Entity(a=1), Entity(a=2)]).combine(make([Entity(b=3), Entity(b=4)]))
    assert rows.to_list() == [Entity(a=1, b=3), Entity(a=2, b=4)]


def test_combine_joins_columns_and_changes_no_row() -> None:
    names, sizes = [Entity(name="a", n=1)], [Entity(size=3, n=2)]
    combined = DataCollection(names).combine(sizes, [Entity(m=0)])
    assert combined.to_list() == [Entity(name="a", n=2, size=3, m=0)]
    assert (names, sizes) == ([Entity(name="a", n=1)], [Entity(size=3, n=2)])
    with pytest.raises(OperatorFailed, match="The row is a int, which has no columns"):
        DataCollection(names).combine([1]).to_list()


def test_combine_does_not_lose_the_rows_of_the_longer_one() -> None:
    rows = towhee.dc["a"]([1, 2])
    with pytest.raises(ValueError, match="shorter than argument 1"):
        rows.combine(towhee.dc["b"]([1])).to_list()


def test_a_sum_is_one_after_the_other_and_leaves_both_as_they_were() -> None:
    first, second = DataCollection([1, 2]), DataCollection([3])
    total = first + second
    assert total.to_list() == [1, 2, 3]
    assert ([0] + total + (4,)).to_list() == [0, 1, 2, 3, 4]
    assert (len(first), len(second), total[2]) == (2, 1, 3)
    assert (first + iter([3])).is_stream
    assert sum([second, second], start=DataCollection()).to_list() == [3, 3]
    with pytest.raises(TypeError):
        _ = first + 1
    with pytest.raises(TypeError, match="text and bytes are one value"):
        _ = first + "ab"


def test_a_sum_of_thousands_is_no_tower() -> None:
    total = DataCollection()
    for number in range(3000):
        total = total + [number]  # noqa: RUF005  (this is what is tested)
    assert total.to_list() == list(range(3000))


def test_a_sum_of_safe_rows_is_safe() -> None:
    safe = DataCollection([0]).exception_safe().map(reciprocal)
    assert unsafe((safe + DataCollection([1])).to_list()) == [None, 1]
    assert unsafe(
        (DataCollection([1]) + safe).map(lambda n: 1 / (n - 1)).to_list()
    ) == [None, None]


@both
def test_a_seed_draws_the_same_rows(make: Make) -> None:
    rows = list(range(1000))
    drawn = make(rows).sample(0.1, seed=3).to_list()
    assert drawn == make(rows).sample(0.1, seed=3).to_list()
    assert drawn != make(rows).sample(0.1, seed=4).to_list()
    assert 50 < len(drawn) < 150
    assert drawn == sorted(drawn)
    assert make(rows).sample(0).to_list() == []
    assert make(rows).sample().to_list() == rows


def test_a_seed_may_be_a_whole_number_of_any_type() -> None:
    rows = DataCollection(range(100))
    for draw in (
        lambda seed: rows.sample(0.5, seed),
        rows.shuffle,
        lambda seed: rows.split_train_test(seed=seed)[0],
    ):
        assert draw(np.int64(3)).to_list() == draw(3).to_list()


@both
def test_shuffling_gives_every_row_once(make: Make) -> None:
    rows = list(range(100))
    shuffled = make(rows).shuffle(seed=1).to_list()
    assert sorted(shuffled) == rows != shuffled
    assert shuffled == make(rows).shuffle(seed=1).to_list()


def test_shuffling_a_stream_keeps_no_more_than_its_buffer() -> None:
    source = Source(1000)
    shuffled = iter(DataCollection(source()).shuffle(seed=1, buffer=10))
    early = [number - place for place, number in enumerate(shuffled)]
    assert max(early) <= 10
    assert source.pulled == 1000
    source = Source(1000)
    next(iter(DataCollection(source()).shuffle(buffer=10)))
    assert source.pulled <= 11


def test_shuffling_a_remembered_list_gives_one_order() -> None:
    shuffled = DataCollection(range(50)).shuffle()
    assert shuffled.to_list() == shuffled.to_list()


@both
def test_a_split_shares_no_row_and_computes_each_once(make: Make) -> None:
    seen: list[int] = []
    rows = make(list(range(100))).map(lambda n: (seen.append(n), n)[1])
    train, test = rows.split_train_test((0.7, 0.3))
    assert (len(train), len(test)) == (70, 30)
    assert sorted([*train, *test]) == sorted(seen) == list(range(100))
    assert train.to_list() != sorted(train.to_list())


def test_a_split_in_order_rounds_the_first_part_down() -> None:
    rows = DataCollection(range(3))
    train, test = rows.split_train_test(shuffle=False)
    assert (train.to_list(), test.to_list()) == ([0, 1], [2])
    small, rest = DataCollection(range(100)).split_train_test((0.29, 0.2), seed=1)
    assert (len(small), len(rest)) == (29, 20)
    assert DataCollection([]).split_train_test()[0].to_list() == []


def test_groups_come_in_the_order_of_their_first_rows() -> None:
    rows = DataCollection(["bb", "a", "cc"])
    assert rows.group_by(len).to_list() == [(2, ["bb", "cc"]), (1, ["a"])]
    assert DataCollection([1, 1]).group_by().to_list() == [(1, [1, 1])]
    photos = towhee.dc["path", "label"]([("a", 1), ("b", 2), ("c", 1)])
    assert photos.group_by["label"]().map(lambda group: len(group[1])).to_list() == [
        2,
        1,
    ]
    assert [k for k, _ in photos.group_by["path", "label"](lambda p, n: p * n)] == [
        "a",
        "bb",
        "c",
    ]


def test_a_key_that_fails_names_its_function_and_row() -> None:
    with pytest.raises(OperatorFailed) as caught:
        DataCollection([1, 0]).group_by(reciprocal).to_list()
    assert (
        str(caught.value)
        == "`group_by(reciprocal)` failed on row 1, 0: ZeroDivisionError: division by zero"
    )
    safe = DataCollection([1, 0]).exception_safe().group_by(reciprocal).to_list()
    assert unsafe(safe) == [None, (1.0, [1])]


def test_a_chain_that_was_arranged_can_be_used_twice_and_nested() -> None:
    batches = DataCollection(range(4)).batch(2)
    assert batches.map(sum).to_list() == [1, 5]
    assert batches.map(len).to_list() == [2, 2]
    nested = DataCollection([DataCollection([1, 2]).map(str), DataCollection([3])])
    assert nested.flatten().to_list() == ["1", "2", 3]
    assert batches.batch(1).rolling(1).flatten().flatten().to_list() == [[0, 1], [2, 3]]


def test_a_stream_over_an_iterator_stays_read_once_through_arrangements() -> None:
    batches = DataCollection(iter(range(4))).batch(2)
    assert batches.to_list() == [[0, 1], [2, 3]]
    with pytest.raises(StreamConsumed):
        batches.to_list()


def test_arranged_chains_are_values() -> None:
    chain = DataCollection([1, 2]).batch(2).rolling(1).shuffle(seed=1)
    assert pickle.loads(pickle.dumps(chain)) == chain == copy.deepcopy(chain)  # noqa: S301  (our own)
    assert repr(DataCollection([1, 2]).map(str).batch(2)) == (
        "DataCollection(<[1, 2].map(str).batch(2)>)"
    )


def test_columns_come_from_brackets_of_dc_and_glob() -> None:
    assert towhee.dc["a"]([1]).to_list() == [Entity(a=1)]
    assert towhee.dc[("a", "b")]([(1, 2)]).to_list() == [Entity(a=1, b=2)]
    assert towhee.dc([1]).to_list() == [1]
    with pytest.raises(OperatorFailed, match="row 0"):
        towhee.dc["a", "b"]([(1, 2, 3)]).to_list()
    assert towhee.dc["a"](iter([1])).is_stream


class Embedding:
    """What is mapped over rows, and says how often it was trained."""

    trainings = 1

    def __call__(self, row: int) -> int:
        return row * self.trainings


@pytest.mark.parametrize(
    ("join", "before", "after"),
    [
        (DataCollection.zip, [(1, 7), (2, 8)], [(2, 7), (4, 8)]),
        (DataCollection.__add__, [1, 2, 7, 8], [2, 4, 7, 8]),
    ],
)
def test_joined_rows_are_made_again_after_a_training(
    join: Callable[..., Any], before: list[Any], after: list[Any]
) -> None:
    embedding = Embedding()
    joined = join(DataCollection([1, 2]).map(embedding), [7, 8])
    further = joined.map(lambda row: row)
    assert joined.to_list() == further.to_list() == before
    embedding.trainings = 2
    assert joined.to_list() == further.to_list() == after
