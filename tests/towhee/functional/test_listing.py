"""A collection is edited as a value: no edit shows in another collection."""

from __future__ import annotations

import copy
import pickle
from decimal import Decimal
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from towhee import DataCollection
from towhee.chain import NotIndexable
from towhee.columns import Entity
from towhee.outcome import OperatorFailed

if TYPE_CHECKING:
    from collections.abc import Callable


def reciprocal(number: int) -> float:
    return 1 / number


EDITS: dict[str, tuple[Callable[[DataCollection], Any], list[int]]] = {
    "append": (lambda rows: rows.append(9), [3, 1, 2, 1, 9]),
    "extend": (lambda rows: rows.extend([9, 8]), [3, 1, 2, 1, 9, 8]),
    "insert": (lambda rows: rows.insert(1, 9), [3, 9, 1, 2, 1]),
    "pop": (lambda rows: rows.pop(), [3, 1, 2]),
    "remove": (lambda rows: rows.remove(1), [3, 2, 1]),
    "reverse": (lambda rows: rows.reverse(), [1, 2, 1, 3]),
    "sort": (lambda rows: rows.sort(), [1, 1, 2, 3]),
    "copy": (lambda rows: rows.copy(), [3, 1, 2, 1]),
    "clear": (lambda rows: rows.clear(), []),
}
each_edit = pytest.mark.parametrize("name", EDITS)


@each_edit
def test_an_edit_gives_another_collection_and_leaves_this_one(name: str) -> None:
    edit, expected = EDITS[name]
    rows = DataCollection([3, 1, 2, 1])
    edited = edit(rows)
    assert edited.to_list() == list(edited) == expected
    assert len(edited) == len(expected)
    assert rows.to_list() == [3, 1, 2, 1]
    assert edit(rows).to_list() == expected


@pytest.mark.parametrize("name", sorted({*EDITS} - {"sort"}))
def test_an_edit_computes_nothing_and_what_was_computed_is_not_computed_again(
    name: str,
) -> None:
    seen: list[int] = []
    rows = DataCollection([3, 1, 2, 1]).map(lambda n: (seen.append(n), n)[1])
    edit, expected = EDITS[name]
    edited = edit(rows)
    assert seen == []
    assert edited.to_list() == expected
    rows.to_list()
    edit(rows).append(0).to_list()
    assert len(seen) == 4


def test_sorting_computes_nothing_before_a_row_is_asked_for() -> None:
    seen: list[int] = []
    ordered = DataCollection([2, 1]).sort(key=lambda n: (seen.append(n), n)[1])
    assert seen == []
    assert ordered.to_list() == ordered.to_list() == [1, 2]
    assert seen == [2, 1]


@each_edit
def test_an_edit_of_safe_rows_keeps_their_failures(name: str) -> None:
    edit, expected = EDITS[name]
    safe = DataCollection([0, 3, 1, 2, 1]).exception_safe().filter(reciprocal)
    edited = edit(safe)
    failures = [row for row in edited if row.is_empty()]
    assert len(failures) == (name != "clear")
    if name != "insert":
        assert [row.get() for row in edited if row.is_some()] == expected
    assert edited.is_safe


@pytest.mark.parametrize("name", [*EDITS, "count"])
def test_a_stream_refuses_every_edit_in_one_sentence(name: str) -> None:
    edit = EDITS[name][0] if name in EDITS else lambda rows: rows.count(1)
    with pytest.raises(NotIndexable) as caught:
        edit(DataCollection(iter([3, 1, 2, 1])))
    assert (
        str(caught.value)
        == f"`{name}` needs rows that are kept, and a stream keeps none"
    )
    assert caught.value.hint == "Call `unstream()` first, which keeps the rows"
    assert isinstance(caught.value, TypeError)


def test_edits_chain() -> None:
    rows = DataCollection([1]).append(2).extend(iter([3, 4])).pop(0).insert(0, 9)
    assert rows.reverse().append(0).map(str).to_list() == ["4", "3", "2", "9", "0"]
    assert repr(DataCollection([1, 2]).append(3).pop(0)) == (
        "DataCollection(<[1, 2].append(3).pop(0)>)"
    )


def test_two_edits_of_one_collection_know_nothing_of_each_other() -> None:
    base = DataCollection([1]).append(2)
    left, right = base.append(3), base.append(4)
    assert (left.to_list(), right.to_list(), base.to_list()) == (
        [1, 2, 3],
        [1, 2, 4],
        [1, 2],
    )


def test_a_loop_of_thousands_of_edits_is_no_tower() -> None:
    rows = DataCollection()
    for number in range(3000):
        rows = rows.append(number)
    assert rows.to_list() == list(range(3000))


def test_rows_shared_by_two_collections_are_not_mutated() -> None:
    row = Entity(a=1)
    source = [row]
    first = DataCollection(source)
    second = first.append(Entity(a=2)).map["a", "b"](lambda a: a + 1)
    third = first.batch(1).flatten().filter["a"](bool).map["a", "a"](str)
    assert second.to_list() == [Entity(a=1, b=2), Entity(a=2, b=3)]
    assert third.to_list() == [Entity(a="1")]
    assert (source, first.to_list(), vars(row)) == ([row], [row], {"a": 1})


def test_what_was_given_may_be_changed_afterwards() -> None:
    more = [2]
    rows = DataCollection([1]).extend(more)
    more.append(3)
    rows.to_list().append(4)
    assert rows.to_list() == [1, 2]


def test_rows_that_are_not_there_are_missed_when_rows_are_read() -> None:
    with pytest.raises(IndexError, match="pop from empty list"):
        DataCollection([]).pop().to_list()
    with pytest.raises(IndexError, match="pop index out of range"):
        len(DataCollection([1]).pop(1))
    with pytest.raises(ValueError, match=r"list.remove\(x\): x not in list"):
        DataCollection([1]).remove(2).to_list()


def test_counting() -> None:
    assert DataCollection([1, 2, 1]).map(str).count("1") == 2
    safe = DataCollection([0, 1, 1]).exception_safe().map(reciprocal)
    assert safe.count(1.0) == 2


def test_sorting_is_stable_and_names_a_key_that_fails() -> None:
    rows = DataCollection(["bb", "a", "cc"])
    assert rows.sort(key=len).to_list() == ["a", "bb", "cc"]
    assert rows.sort(key=len, reverse=True).to_list() == ["bb", "cc", "a"]
    with pytest.raises(
        OperatorFailed, match=r"`sort\(reciprocal\)` failed on row 1, 0"
    ):
        DataCollection([1, 0]).sort(key=reciprocal).to_list()
    with pytest.raises(TypeError, match="'<' not supported"):
        DataCollection([1, "a"]).sort().to_list()


@pytest.mark.parametrize("nan", [float("nan"), np.float32("nan"), Decimal("nan")])
def test_what_is_no_number_is_sorted_behind_all(nan: object) -> None:
    rows = DataCollection([3, nan, 1, 2.5, nan, 2])
    assert rows.sort().to_list() == [1, 2, 2.5, 3, nan, nan]
    assert rows.sort(reverse=True).to_list() == [3, 2.5, 2, 1, nan, nan]
    pairs = DataCollection([(3, "a"), (nan, "b"), (1, "c")])
    assert pairs.sort(key=itemgetter(0)).map(itemgetter(1)).to_list() == ["c", "a", "b"]


def test_edited_chains_are_values() -> None:
    chain = DataCollection([1, 2]).append(3).sort(reverse=True).pop()
    assert pickle.loads(pickle.dumps(chain)) == chain == copy.deepcopy(chain)  # noqa: S301  (our own)
    assert DataCollection([1]).append(2) == DataCollection([1]).append(2)
