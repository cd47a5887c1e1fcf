"""How well what was predicted agrees with what is actual: definitions, and counting.

For ``N`` rows, of which ``n_c`` are of class ``c``:

- ``accuracy``: rows that were predicted right, over ``N``.
- ``recall``: of each class, the part that was found, ``found_c / n_c``; the classes'
  mean, each weighted by ``n_c / N``. Where a row has one label, that is the accuracy.
- ``balanced_accuracy``: the same mean, each class weighted alike.
- ``confusion_matrix``: how many rows of each class were predicted as each.

For rows with a set ``R`` of relevant items and a ranking of those that were found:

- ``mean_hit_ratio``: the part of ``R`` that was found, ``|R ∩ found| / |R|``, which is
  the recall of a search; the mean over rows.
- ``mean_average_precision``: ``Σ precision(k) / |R|`` over the ranks ``k`` at which a
  relevant item stands, where ``precision(k)`` is the part of the first ``k`` that is
  relevant. What was not found counts as 0. The mean over rows. Source: Manning,
  Raghavan, Schütze, *Introduction to Information Retrieval*, 8.4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from plugin_spec.errors import HubError
from plugin_spec.nearest import did_you_mean
from towhee.outcome import short_repr

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    Pairs: TypeAlias = Counter[tuple[Hashable, Hashable]]


class UnknownMetric(HubError, ValueError):
    """There is no metric of that name."""


class Unmeasurable(HubError, ValueError):
    """A metric is not defined for what a row holds, or for no rows."""


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """How many rows of each class were predicted as each."""

    labels: tuple[Any, ...]
    counts: tuple[tuple[int, ...], ...]
    """``counts[i][j]`` rows are ``labels[i]`` and were predicted ``labels[j]``."""

    @classmethod
    def of(cls, pairs: Pairs) -> ConfusionMatrix:
        """Arrange counted pairs; labels are sorted, as text if they are of many types.

        >>> ConfusionMatrix.of(Counter({("cat", "cat"): 2, ("cat", "dog"): 1}))
        ConfusionMatrix(labels=('cat', 'dog'), counts=((2, 1), (0, 0)))
        """
        found: set[Any] = {label for pair in pairs for label in pair}
        try:
            labels = sorted(found)
        except TypeError:
            labels = sorted(found, key=repr)
        counts = (tuple(pairs[actual, other] for other in labels) for actual in labels)
        return cls(tuple(labels), tuple(counts))


Measure: TypeAlias = float | ConfusionMatrix


def measure(
    metrics: Iterable[str], actual: Iterable[object], predicted: Iterable[object]
) -> dict[str, Measure]:
    """Compute metrics over two columns of equal length.

    >>> measure(["accuracy"], ["cat", "dog"], ["cat", "cat"])
    {'accuracy': 0.5}

    :raises UnknownMetric: with the nearest name.
    :raises Unmeasurable: if one column is longer, or a row has what no metric takes.
    """
    tally, missing = Tally(known_metrics(metrics)), object()
    for row, pair in enumerate(zip_longest(actual, predicted, fillvalue=missing)):
        if pair[0] is missing or pair[1] is missing:
            longer = "predicted" if pair[0] is missing else "actual"
            raise Unmeasurable(f"There are {row} rows, but more {longer} values")
        tally.add(*pair)
    return tally.values()


def known_metrics(names: Iterable[str]) -> tuple[str, ...]:
    """Check names.

    >>> known_metrics(["acuracy"])
    Traceback (most recent call last):
    ...
    towhee.metrics.UnknownMetric: There is no metric `acuracy`: did you mean `accuracy`?
    hint: The metrics are: `accuracy`, ...

    :raises UnknownMetric: with the nearest name.
    """
    metrics = (names,) if isinstance(names, str) else tuple(names)
    known = [*OF_LABELS, *OF_RANKINGS]
    for name in metrics:
        if name not in known:
            listed = ", ".join(f"`{metric}`" for metric in known)
            raise UnknownMetric(
                f"There is no metric `{name}`{did_you_mean(str(name), known)}",
                hint=f"The metrics are: {listed}",
            )
    return metrics


class Tally:
    """What metrics need to know of the rows so far; it does not grow with them."""

    def __init__(self, metrics: Sequence[str]) -> None:
        self.rows = 0
        self._metrics = metrics
        self._rankings = [name for name in metrics if name in OF_RANKINGS]
        self._labels = len(self._rankings) < len(metrics)
        self._pairs: Pairs = Counter()
        self._sums = dict.fromkeys(self._rankings, 0.0)

    def add(self, actual: object, predicted: object) -> None:
        """Count a row.

        :raises Unmeasurable: naming the row, from 0.
        """
        try:
            if self._labels:
                self._pairs[_label(actual), _label(predicted)] += 1
            if self._rankings:
                relevant, ranking = _relevant(actual), _ranking(predicted)
                for name in self._rankings:
                    self._sums[name] += OF_RANKINGS[name](relevant, ranking)
        except _Unfit as unfit:
            raise Unmeasurable(f"Row {self.rows}: {unfit}", hint=unfit.hint) from None
        self.rows += 1

    def values(self) -> dict[str, Measure]:
        """Each metric over the rows so far.

        :raises Unmeasurable: if there are none.
        """
        if not self.rows:
            raise Unmeasurable("There is no row to measure")
        return {
            name: OF_LABELS[name](self._pairs)
            if name in OF_LABELS
            else self._sums[name] / self.rows
            for name in self._metrics
        }


def hit_ratio(relevant: set[Hashable], ranking: Sequence[Hashable]) -> float:
    """The part of the relevant items that was found.

    >>> hit_ratio({"a", "b"}, ["x", "b", "y"])
    0.5
    """
    return len(relevant.intersection(ranking)) / len(relevant)


def average_precision(relevant: set[Hashable], ranking: Sequence[Hashable]) -> float:
    """The mean, over relevant items, of the precision where each was found.

    >>> average_precision({"a", "b"}, ["x", "b", "y"])
    0.25
    """
    found, total = 0, 0.0
    for rank, item in enumerate(ranking, 1):
        if item in relevant:
            found += 1
            total += found / rank
    return total / len(relevant)


def _accuracy(pairs: Pairs) -> float:
    right = sum(count for (actual, found), count in pairs.items() if actual == found)
    return right / pairs.total()


def _balanced_accuracy(pairs: Pairs) -> float:
    classes: Counter[Hashable] = Counter()
    for (actual, _), count in pairs.items():
        classes[actual] += count
    parts = [pairs[label, label] / count for label, count in classes.items()]
    return sum(parts) / len(parts)


OF_LABELS: Final[dict[str, Callable[[Pairs], Measure]]] = {
    "accuracy": _accuracy,
    # (n_c / N) (found_c / n_c), summed: the class sizes cancel each other out.
    "recall": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "confusion_matrix": ConfusionMatrix.of,
}
OF_RANKINGS: Final = {
    "mean_hit_ratio": hit_ratio,
    "mean_average_precision": average_precision,
}


class _Unfit(HubError):
    """A value that no metric takes; whoever counts rows says which row."""


def _label(value: Any) -> Hashable:  # noqa: ANN401  (what columns hold)
    if getattr(value, "shape", None) == ():
        value = value.item()
    try:
        hash(value)
    except TypeError:
        raise _Unfit(
            f"{short_repr(value)} is no label",
            hint="For lists of items, measure `mean_hit_ratio` "
            "or `mean_average_precision`",
        ) from None
    if value is None or value != value:  # noqa: PLR0124  (only NaN is not itself)
        raise _Unfit(
            f"{value} is no label", hint="Leave such rows out first, with `filter`"
        )
    return value  # type: ignore[no-any-return]  # as was just asked


def _relevant(value: object) -> set[Hashable]:
    items = set(_items(value))
    if not items:
        raise _Unfit(
            "nothing is relevant, so that no part of it can be found",
            hint="Leave such rows out first, with `filter`",
        )
    return items


def _ranking(value: object) -> list[Hashable]:
    """Items in the order in which they were found, each once."""
    if isinstance(value, set | frozenset):
        raise _Unfit(f"{short_repr(value)} is a set, and has no order")
    return list(dict.fromkeys(_items(value)))


def _items(value: Any) -> list[Hashable]:  # noqa: ANN401
    """Several items, or one."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    one = isinstance(value, str | bytes) or not isinstance(value, Iterable)
    return [_label(item) for item in ([value] if one else value)]
