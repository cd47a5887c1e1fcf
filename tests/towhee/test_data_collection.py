"""What a collection promises: lazy, a value, remembered or streamed, failing clearly."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import towhee
import towhee.callable_pipeline
import towhee.operators
import towhee.pipelines
from plugin_spec import HubError
from plugin_spec.names import RESERVED_NAMESPACES
from towhee import DataCollection
from towhee.chain import NotIndexable
from towhee.executors import UnknownEngine
from towhee.outcome import OperatorFailed
from towhee.rows import EmptyGlob, StreamConsumed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ROOT = Path(__file__).parents[2]


def is_prime(number: int) -> bool:
    return number > 1 and all(number % n for n in range(2, number // 2 + 1))


def half(number: int) -> float:
    return 1 / number


def test_the_article_filters_prime_numbers() -> None:
    collection = (
        DataCollection.range(100)
        .filter(is_prime)
        .filter(lambda x: x % 10 == 3)
        .map(str)
    )
    assert collection.to_list() == ["3", "13", "23", "43", "53", "73", "83"]


def test_importing_towhee_imports_nothing_else_of_it() -> None:
    command = "import sys, towhee; print([m for m in sys.modules if '.' in m and m.startswith(('towhee', 'hub_', 'plugin_'))], dir(towhee))"
    output = subprocess.run(
        [sys.executable, "-c", command],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT)},
    ).stdout
    assert output.startswith("[] ")
    assert all(f"'{name}'" in output for name in ("DataCollection", "ops", "pipeline"))


def test_pipeline_stays_a_function_whatever_is_imported() -> None:
    assert towhee.pipeline is towhee.callable_pipeline.pipeline
    assert towhee.ops is towhee.operators.ops
    assert callable(towhee.pipeline)
    with pytest.raises(AttributeError, match="module 'towhee' has no attribute 'pip'"):
        _ = towhee.pip


PUBLIC = sorted(name for name in dir(DataCollection) if not name.startswith("_"))


def test_no_public_method_can_be_taken_for_a_namespace() -> None:
    assert {"map", "read_csv", "append"} < set(PUBLIC)
    assert {name.replace("_", "-") for name in PUBLIC} - RESERVED_NAMESPACES == set()


def test_every_public_method_shows_how_it_is_used() -> None:
    silent = [n for n in PUBLIC if ">>>" not in str(getattr(DataCollection, n).__doc__)]
    assert silent == []


def test_a_chain_is_a_value() -> None:
    start = DataCollection(["a.jpg"])
    chain = (
        start.image_decode.cv2().image_embedding.timm(model_name="resnet50").map(len)
    )
    assert str(chain.pipeline) == (
        "image_decode.cv2().image_embedding.timm(model_name='resnet50').map(len)"
    )
    assert start.pipeline.calls == ()
    assert pickle.loads(pickle.dumps(chain)) == chain  # noqa: S301  (our own)
    assert copy.copy(chain) == chain == copy.deepcopy(chain)
    assert chain != start
    assert chain != start.image_decode.cv2()
    assert chain != "a.jpg"
    with pytest.raises(TypeError, match="unhashable"):
        hash(chain)


def test_repr_shows_the_chain_and_reads_no_row() -> None:
    numbers = iter(range(3))
    chain = DataCollection(numbers).map(half).towhee.search_vectors(topk=5)
    assert (
        repr(chain)
        == "DataCollection(<range_iterator>).map(half).towhee.search_vectors(topk=5)"
    )
    assert next(numbers) == 0
    assert repr(DataCollection(range(9))) == "DataCollection(range(0, 9))"


def test_names_that_are_no_operators_raise_attribute_errors() -> None:
    collection = DataCollection([1])
    for name in ("__array_interface__", "_repr_png_", "set_jit", "arrow"):
        assert not hasattr(collection, name)
    with pytest.raises(AttributeError):
        _ = collection.image_decode.__wrapped__
    with pytest.raises(AttributeError) as caught:
        collection.to_lst()
    assert (
        str(caught.value)
        == "`DataCollection` has no method `to_lst`: did you mean `to_list`?"
    )


def test_nothing_runs_until_a_row_is_asked_for() -> None:
    calls: list[int] = []
    chain = DataCollection.range(5).map(calls.append)
    assert calls == []
    next(iter(chain))
    assert calls == [0]


def test_a_list_is_computed_once_and_can_be_asked_by_number() -> None:
    calls: list[int] = []

    def noted(number: int) -> int:
        calls.append(number)
        return number * 10

    chain = DataCollection([1, 2, 3]).map(noted)
    assert (len(chain), chain[0], chain[-1], chain[1:].to_list()) == (
        3,
        10,
        30,
        [20, 30],
    )
    assert list(chain) == chain.to_list() == [10, 20, 30]
    assert chain.map(str).to_list() == ["10", "20", "30"]
    assert calls == [1, 2, 3]


def test_a_list_that_was_iterated_to_its_end_is_remembered() -> None:
    calls: list[int] = []
    chain = DataCollection([1, 2]).map(calls.append)
    next(iter(chain))
    assert calls == [1]
    for _ in chain:
        pass
    assert len(chain) == 2
    assert calls == [1, 1, 2]


def test_a_stream_is_computed_anew_and_has_no_numbers() -> None:
    calls: list[int] = []
    chain = DataCollection.range(2).map(calls.append)
    chain.to_list()
    chain.to_list()
    assert calls == [0, 1, 0, 1]
    for ask in (len, lambda chain: chain[0]):
        with pytest.raises(NotIndexable) as caught:
            ask(chain)
        assert (
            str(caught.value) == "A stream has no length, and its rows have no numbers"
        )
        assert caught.value.hint == "Call `unstream()`, which keeps the rows"
    assert (len(DataCollection.range(4)), DataCollection.range(4)[2]) == (4, 2)
    assert chain.unstream()[1] is None


def test_a_stream_over_an_iterator_is_read_once() -> None:
    stream = DataCollection(n for n in range(3))
    assert stream.map(str).to_list() == ["0", "1", "2"]
    with pytest.raises(StreamConsumed) as caught:
        stream.to_list()
    assert (
        str(caught.value)
        == "This stream was read before, and its iterator gives each row once"
    )
    assert caught.value.hint == "Call `unstream()` on it first: that keeps the rows"


def test_chains_that_start_at_one_unstreamed_iterator_share_its_rows() -> None:
    kept = DataCollection(iter("abc")).unstream()
    assert not kept.is_stream
    assert kept.map(str.upper).to_list() == ["A", "B", "C"]
    assert kept.map(ord).to_list() == [97, 98, 99]
    assert (list(kept), kept[1], len(kept)) == (["a", "b", "c"], "b", 3)


def test_a_list_is_copied_so_that_the_collection_stays_what_it_was() -> None:
    rows = [1, 2]
    collection = DataCollection(rows)
    rows.append(3)
    collection.to_list().append(4)
    assert collection.to_list() == [1, 2]


@pytest.mark.parametrize("rows", ["photo.jpg", b"photo"])
def test_one_value_is_not_taken_for_rows(rows: str | bytes) -> None:
    with pytest.raises(TypeError) as caught:
        DataCollection(rows)
    assert (
        str(caught.value) == "text and bytes are one value; write `[value]` for its row"
    )


def test_head_reads_no_more_than_it_needs_even_through_a_filter() -> None:
    pulled: list[int] = []

    def source() -> Iterator[int]:
        for number in range(100):
            pulled.append(number)
            yield number

    head = DataCollection(source()).filter(lambda n: n % 10 == 9).head(2)
    assert head.to_list() == [9, 19]
    assert pulled == list(range(20))
    assert head[1] == 19
    assert DataCollection([1, 2]).head().to_list() == [1, 2]
    assert DataCollection([1, 2]).head(0).to_list() == []


def test_a_failure_names_function_row_and_input() -> None:
    with pytest.raises(OperatorFailed) as caught:
        DataCollection.range(3, -1, -1).map(half).to_list()
    error = caught.value
    assert (
        str(error)
        == "`map(half)` failed on row 3, 0: ZeroDivisionError: division by zero"
    )
    assert (error.operator, error.row, error.input) == ("map(half)", 3, 0)
    assert isinstance(error.__cause__, ZeroDivisionError)
    clone = pickle.loads(pickle.dumps(error))  # noqa: S301  (our own)
    assert (str(clone), clone.row, clone.hint) == (str(error), 3, None)


class Silent(Exception):
    """Says nothing of itself, and is a row as well as what a row raises."""

    def __str__(self) -> str:
        raise NotImplementedError

    __repr__ = __str__

    @property
    def shape(self) -> object:
        raise self


@pytest.mark.parametrize(
    "row", [10**5000, [10**5000], Silent()], ids=["long", "list", "silent"]
)
def test_a_failure_is_told_of_what_cannot_tell_of_itself(row: object) -> None:
    def fail(_row: object) -> None:
        raise Silent

    rows = DataCollection([row])
    (kept,) = rows.exception_safe().map(fail).to_list()
    assert str(kept.error).endswith(": Silent")
    with pytest.raises(OperatorFailed, match=r"fail\)` failed on row 0, .*: Silent"):
        rows.map(fail).to_list()
    assert repr(rows).startswith("DataCollection([")


@pytest.mark.parametrize("rows", [[1, 0], (1, 0), range(1, -1, -1), iter([1, 0])])
def test_every_kind_of_source_counts_its_rows(rows: object) -> None:
    with pytest.raises(OperatorFailed) as caught:
        DataCollection(rows).filter(half).stream().to_list()  # type: ignore[arg-type]
    assert caught.value.row == 1


def test_run_gives_an_outcome_a_row_and_goes_on() -> None:
    outcomes = list(DataCollection([1, 0, 2]).filter(lambda n: n < 2).map(half).run())
    assert [(outcome.row, outcome.value) for outcome in outcomes] == [
        (0, 1.0),
        (1, None),
    ]
    assert isinstance(outcomes[1].error, OperatorFailed)


def test_a_failure_in_head_names_the_row_of_the_source() -> None:
    chain = DataCollection([9, 9, 9, 0]).filter(lambda n: n != 9).map(half).head(1)
    with pytest.raises(OperatorFailed, match="row 3, 0"):
        chain.to_list()


def test_run_tells_of_failures_also_once_they_were_kept() -> None:
    chain = DataCollection(["1", "x"]).exception_safe().map(int)
    first = [(each.row, each.value, str(each.error)) for each in chain.run()]
    assert first[1][1] is None
    assert len(chain) == 2
    assert [(each.row, each.value, str(each.error)) for each in chain.run()] == first
    after = [(each.value, each.error and each.error.row) for each in chain.run()]
    assert after == [(1, None), (None, 1)]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("begin", [list, iter])
def test_rows_keep_their_numbers_in_the_source_once_some_were_computed(
    begin: Callable[[Iterable[int]], Iterable[int]], workers: int
) -> None:
    rows = DataCollection(begin(range(6))).unstream()
    if workers:
        rows = rows.set_parallel(workers)
    odd = rows.filter(lambda n: n % 2)
    late = odd.filter(lambda n: n > 1)
    doubled = late.map(lambda n: [n, n]).flatten()
    failing = doubled.map(lambda n: 1 / (n - 5))

    def numbers() -> list[int]:
        with pytest.raises(OperatorFailed, match="failed on row 5, 5"):
            failing.to_list()
        with pytest.raises(OperatorFailed, match="failed on row 5, 5"):
            failing.head(4).to_list()
        return [each.row for each in failing.run()]

    expected = [3, 3, 5, 5]
    assert numbers() == expected
    for each in (odd, late, doubled):
        assert len(list(each)) == len(each)
        assert numbers() == expected


def test_failures_that_were_kept_and_settled_leave_rows_their_numbers() -> None:
    kept = DataCollection([0, 1, 2]).exception_safe().map(lambda n: 1 / n)
    good = kept.drop_empty()
    assert (len(kept), len(good)) == (3, 2)
    assert [each.row for each in good.run()] == [1, 2]
    with pytest.raises(OperatorFailed, match=r"failed on row 2, 0\.5"):
        good.map(lambda n: 1 / (n - 0.5)).to_list()


def test_an_unknown_engine_is_refused_at_once_with_those_there_are() -> None:
    with pytest.raises(UnknownEngine) as caught:
        DataCollection([1]).set_engine("dask")
    assert str(caught.value) == "No engine is named `dask`, known: `local`, `ray`"
    assert (
        caught.value.hint
        == "Install a distribution that provides the engine `dask`, or use `set_engine('local')`"
    )


def test_a_glob_is_sorted_without_twins_and_without_folders() -> None:
    for name in ("b.jpg", "a.jpg", "c.png"):
        Path(name).touch()
    Path("folder.jpg").mkdir()
    collection = DataCollection.from_glob("./*.jpg", Path("c.*"), "./a*")
    assert collection.is_stream
    assert collection.to_list() == ["./a.jpg", "./b.jpg", "c.png"]
    assert collection.unstream()[0] == "./a.jpg"


def test_an_empty_glob_names_pattern_and_folder() -> None:
    Path("photos").mkdir()
    with pytest.raises(EmptyGlob) as caught:
        DataCollection.from_glob("photos/*.JPEG")
    assert str(caught.value) == f"No file matches `photos/*.JPEG` in `{Path.cwd()}`"
    assert caught.value.hint is None
    with pytest.raises(EmptyGlob) as caught:
        DataCollection.from_glob("photos/*.jpg", "./set/*/*.jpg")
    assert (
        str(caught.value)
        == f"No file matches `photos/*.jpg` or `./set/*/*.jpg` in `{Path.cwd()}`"
    )
    assert caught.value.hint == "There is no folder `set`"
    assert isinstance(caught.value, HubError)
    assert isinstance(caught.value, FileNotFoundError)


def test_a_stream_of_many_rows_needs_the_memory_of_few() -> None:
    chain = DataCollection.range(200_000).map(str).filter(str.isdigit).map(len)
    next(iter(chain))
    gc.collect()
    tracemalloc.start()
    for _ in chain:
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


def test_select_from_asks_by_number() -> None:
    letters = DataCollection(["abc"]).map(list).unstream()
    assert letters[0] == ["a", "b", "c"]
    rows = DataCollection([(0, 0), [], 0])
    assert rows.select_from(DataCollection(["x", "y"])).to_list() == [
        ["x", "x"],
        [],
        "x",
    ]
    with pytest.raises(OperatorFailed, match="A stream has no length"):
        rows.select_from(DataCollection(iter("xy"))).to_list()
    with pytest.raises(OperatorFailed, match="IndexError"):
        DataCollection([2]).select_from(DataCollection(["x", "y"])).to_list()
