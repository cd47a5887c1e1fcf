"""What measuring promises: the field's definitions, streams, clear refusals."""

from __future__ import annotations

import pickle
import random
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from towhee import DataCollection
from towhee.columns import Entity, InvalidColumns, MissingColumn
from towhee.evaluations import NameTaken, NothingToReport
from towhee.metrics import ConfusionMatrix, UnknownMetric, Unmeasurable, measure
from towhee.rows import StreamConsumed

if TYPE_CHECKING:
    from collections.abc import Iterator

LABELS = ["accuracy", "recall", "balanced_accuracy", "confusion_matrix"]
RANKINGS = ["mean_hit_ratio", "mean_average_precision"]


def labelled(count: int, seed: int) -> tuple[list[str], list[str]]:
    chance = random.Random(seed)  # noqa: S311  (no secret)
    actual = [chance.choice("aaabbc") for _ in range(count)]
    predicted = [a if chance.random() < 0.6 else chance.choice("abcd") for a in actual]
    return actual, predicted


@pytest.mark.parametrize("seed", range(5))
def test_metrics_of_labels_are_those_of_scikit_learn(seed: int) -> None:
    actual, predicted = labelled(200, seed)
    ours = measure(LABELS, actual, predicted)
    recall = sklearn_metrics.recall_score(
        actual, predicted, average="weighted", zero_division=0
    )
    assert ours["accuracy"] == pytest.approx(
        sklearn_metrics.accuracy_score(actual, predicted)
    )
    assert ours["recall"] == pytest.approx(recall)
    present = sorted(set(actual))
    assert ours["balanced_accuracy"] == pytest.approx(
        sklearn_metrics.recall_score(
            actual, predicted, labels=present, average="macro", zero_division=0
        )
    )
    matrix = ours["confusion_matrix"]
    assert isinstance(matrix, ConfusionMatrix)
    theirs = sklearn_metrics.confusion_matrix(actual, predicted, labels=matrix.labels)
    assert np.array_equal(np.array(matrix.counts), theirs)


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_of_a_whole_ranking_is_that_of_scikit_learn(
    seed: int,
) -> None:
    chance = np.random.default_rng(seed)
    scores = chance.permutation(30)
    is_relevant = chance.random(30) < 0.3
    is_relevant[0] = True
    ranking = np.argsort(-scores)
    ours = measure(RANKINGS, [np.flatnonzero(is_relevant)], [ranking])
    theirs = sklearn_metrics.average_precision_score(is_relevant, scores)
    assert ours["mean_average_precision"] == pytest.approx(theirs)
    assert ours["mean_hit_ratio"] == 1


def test_what_a_search_did_not_find_counts_as_nothing() -> None:
    # Two of four relevant items, at ranks 1 and 3: (1/1 + 2/3) / 4.
    found = measure(RANKINGS, [["a", "b", "c", "d"]], [["a", "x", "b"]])
    assert found["mean_average_precision"] == pytest.approx((1 + 2 / 3) / 4)
    assert found["mean_hit_ratio"] == 0.5
    assert measure(RANKINGS, [[1]], [[]]) == dict.fromkeys(RANKINGS, 0.0)


def test_an_item_found_twice_counts_where_it_stood_first() -> None:
    ours = measure(RANKINGS, [["a", "b"], [7]], [["a", "a", "b"], 7])
    assert ours["mean_hit_ratio"] == 1
    assert ours["mean_average_precision"] == 1


def test_towhees_own_examples_give_the_same_numbers() -> None:
    rows = [
        Entity(a=a, b=b, c=c)
        for a, b, c in zip(
            [0, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 1, 1, 0, 0], strict=True
        )
    ]
    report = (
        DataCollection(rows)
        .with_metrics(["accuracy", "recall", "confusion_matrix"])
        .evaluate["a", "c"](name="lr")
        .evaluate["a", "b"]("rf")
        .report()
    )
    assert dict(report["lr"]) == {
        "accuracy": 1.0,
        "recall": 1.0,
        "confusion_matrix": ConfusionMatrix((0, 1), ((3, 0), (0, 2))),
    }
    assert dict(report["rf"]) == {
        "accuracy": 0.8,
        "recall": 0.8,
        "confusion_matrix": ConfusionMatrix((0, 1), ((2, 1), (0, 2))),
    }
    found = Entity(pred=[1, 6, 2, 7, 8, 3, 9, 10, 4, 5], act=[1, 2, 3, 4, 5])
    searches = DataCollection([found]).with_metrics(RANKINGS)
    assert searches.evaluate["act", "pred"]("test").report()["test"] == {
        "mean_hit_ratio": 1.0,
        "mean_average_precision": pytest.approx(0.6222222222222221),
    }


def test_a_report_compares_models_in_a_table() -> None:
    rows = [Entity(y="cat", a="cat", b="dog"), Entity(y="dog", a="dog", b="dog")]
    dc = DataCollection(rows).with_metrics(["accuracy", "confusion_matrix"])
    report = dc.evaluate["y", "a"]().evaluate["y", "b"]("a longer name").report()
    assert str(report) == (
        "               accuracy  rows\n"
        "a                1.0000     2\n"
        "a longer name    0.5000     2\n"
        "a: rows are actual, columns predicted\n"
        "     cat  dog\n"
        "cat    1    0\n"
        "dog    0    1\n"
        "a longer name: rows are actual, columns predicted\n"
        "     cat  dog\n"
        "cat    0    1\n"
        "dog    0    1"
    )
    assert list(report) == ["a", "a longer name"]
    assert report.rows == {"a": 2, "a longer name": 2}


def test_labels_stay_on_their_line() -> None:
    dc = DataCollection([("a\nb", "c")]).with_metrics(["confusion_matrix"])
    assert str(dc.evaluate("the\nmodel").report()) == (
        "            rows\n"
        "the\\nmodel     1\n"
        "the\\nmodel: rows are actual, columns predicted\n"
        "      a\\nb  c\n"
        "a\\nb     0  1\n"
        "c        0  0"
    )


def test_a_notebook_shows_no_markup_that_rows_brought_along() -> None:
    evil = "<script>alert(1)</script>"
    dc = DataCollection([(evil, evil)]).with_metrics(["accuracy", "confusion_matrix"])
    html = dc.evaluate(name=evil).report()._repr_html_()
    assert "<script" not in html
    assert html.startswith(
        "<table>\n<tr><th></th><th>accuracy</th><th>rows</th></tr>\n"
        "<tr><th>&lt;script&gt;alert(1)&lt;/script&gt;</th><td>1.0000</td><td>1</td></tr>\n</table>\n"
    )
    assert html.count("<table>") == html.count("</table>") == 2


def test_nothing_is_read_before_the_report() -> None:
    numbers = iter(range(3))
    dc = DataCollection(numbers).map(lambda number: (number, number))
    chain = dc.with_metrics(["accuracy"]).evaluate("same").evaluate("again")
    assert next(numbers) == 0
    assert chain.report().rows == {"same": 2, "again": 2}


def test_a_stream_is_measured_in_constant_memory() -> None:
    def pairs() -> Iterator[tuple[int, int]]:
        yield from ((number % 3, number % 2) for number in range(50_000))

    chain = DataCollection(pairs()).with_metrics(LABELS).evaluate("model")
    tracemalloc.start()
    report = chain.report()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.rows == {"model": 50_000}
    assert peak < 1_000_000


def test_each_place_of_a_chain_is_measured_as_rows_were_there() -> None:
    calls: list[int] = []

    def again(row: Entity) -> Entity:
        calls.append(1)
        return row.with_columns(p=0)

    dc = DataCollection([Entity(y=0, p=0), Entity(y=1, p=1)])
    chain = dc.with_metrics(["accuracy"]).evaluate["y", "p"]("before")
    chain = chain.map(again).evaluate["y", "p"]("after")
    report = chain.report()
    assert (report["before"]["accuracy"], report["after"]["accuracy"]) == (1.0, 0.5)
    assert len(calls) == len(chain.to_list()) == 2


def test_an_iterator_is_not_read_twice_for_two_places() -> None:
    chain = DataCollection(iter([(1, 1)])).with_metrics(["accuracy"]).evaluate("a")
    with pytest.raises(StreamConsumed) as caught:
        chain.map(lambda pair: pair).evaluate("b").report()
    assert caught.value.hint == "Call `unstream()` on it first: that keeps the rows"


def test_rows_that_failed_are_counted_and_left_out() -> None:
    chain = DataCollection(["1", "x", "3"]).safe().map(int).map(lambda n: (n, 1))
    report = chain.with_metrics(["accuracy"]).evaluate("model").report()
    assert str(report) == (
        "       accuracy  rows  failed\nmodel    0.5000     2       1"
    )
    assert report.failed == {"model": 1}


def test_unknown_metrics_are_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownMetric) as caught:
        DataCollection([]).with_metrics(["accuracy", "recal"])
    assert str(caught.value) == "There is no metric `recal`: did you mean `recall`?"
    assert caught.value.hint == (
        "The metrics are: `accuracy`, `recall`, `balanced_accuracy`, `confusion_matrix`, "
        "`mean_hit_ratio`, `mean_average_precision`"
    )


@pytest.mark.parametrize(
    ("metrics", "actual", "predicted", "message"),
    [
        (["accuracy"], [1, 2], [1], "There are 1 rows, but more actual values"),
        (["accuracy"], [1], [1, 2], "There are 1 rows, but more predicted values"),
        (["accuracy"], [], [], "There is no row to measure"),
        (["accuracy"], ["a", None], ["a", "b"], "Row 1: None is no label"),
        (["accuracy"], ["a"], [float("nan")], "Row 0: nan is no label"),
        (["accuracy"], [[1]], [1], "Row 0: [1] is no label"),
        (
            ["recall"],
            [np.zeros(2)],
            [1],
            "Row 0: ndarray of shape (2,), float64 is no label",
        ),
        (
            ["mean_hit_ratio"],
            [[]],
            [[1]],
            "Row 0: nothing is relevant, so that no part of it can be found",
        ),
        (["mean_hit_ratio"], [[1]], [None], "Row 0: None is no label"),
        (
            ["mean_average_precision"],
            [[1]],
            [{1}],
            "Row 0: {1} is a set, and has no order",
        ),
    ],
)
def test_what_no_metric_is_defined_for_is_said_with_its_row(
    metrics: list[str], actual: list[object], predicted: list[object], message: str
) -> None:
    with pytest.raises(Unmeasurable) as caught:
        measure(metrics, actual, predicted)
    assert str(caught.value) == message


def test_numbers_of_numpy_and_python_are_the_same_labels() -> None:
    assert measure(["accuracy"], [1, 0], np.array([1, 0])) == {"accuracy": 1.0}
    assert measure(["accuracy"], ["a"], np.array(["a"])) == {"accuracy": 1.0}


def test_labels_of_several_types_have_an_order_too() -> None:
    pairs = measure(["confusion_matrix"], ["a", 1], [1, "a"])["confusion_matrix"]
    assert pairs == ConfusionMatrix(("a", 1), ((0, 1), (1, 0)))


def test_a_chain_that_measures_nothing_says_how_to() -> None:
    dc = DataCollection([(1, 1)])
    with pytest.raises(NothingToReport) as caught:
        dc.evaluate("model")
    assert str(caught.value) == "There is nothing to measure"
    with pytest.raises(NothingToReport, match="Nothing was evaluated"):
        dc.with_metrics(["accuracy"]).report()


def test_columns_and_names_are_checked() -> None:
    dc = DataCollection([Entity(label=1, pred=1)]).with_metrics(["accuracy"])
    with pytest.raises(MissingColumn, match="no column `lable`: did you mean `label`"):
        dc.evaluate["lable", "pred"]("model").report()
    with pytest.raises(NameTaken) as caught:
        dc.evaluate["label", "pred"]("model").evaluate["label", "pred"]("model")
    assert str(caught.value) == "`model` is evaluated twice"
    with pytest.raises(Unmeasurable, match="is no pair of an actual and a predicted"):
        dc.evaluate("model").report()
    with pytest.raises(InvalidColumns):
        dc.evaluate["label"]


def test_evaluations_travel_with_a_pickled_collection() -> None:
    dc = DataCollection([(1, 1)]).with_metrics(["accuracy"]).evaluate("model")
    assert pickle.loads(pickle.dumps(dc)).report() == dc.report()  # noqa: S301
