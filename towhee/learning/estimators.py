"""Operators that learn with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass, field
from inspect import signature
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.errors import HubError
from plugin_spec.stateful import StatefulOperator
from towhee.extras import needed_for
from towhee.options import InvalidOptions, unknown_option

if TYPE_CHECKING:
    from collections.abc import Sequence

EXTRA: Final = "sklearn"
_OURS: Final = ("sklearn.", "numpy.dtype")


class Untrusted(HubError, ValueError):
    """A file holds what could do harm."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of scikit-learn, and how a chain uses it."""

    module: str
    name: str
    targets: int = 0
    options: dict[str, object] = field(default_factory=dict)
    """What is otherwise than scikit-learn's own default."""


KINDS: Final = {
    "cate_one_hot_encoder": Kind(
        "preprocessing", "OneHotEncoder", options={"sparse_output": False}
    ),
    "decision_tree": Kind("tree", "DecisionTreeClassifier", targets=1),
    "kmeans": Kind("cluster", "KMeans"),
    "linear_regression": Kind("linear_model", "LinearRegression", targets=1),
    "logistic_regression": Kind("linear_model", "LogisticRegression", targets=1),
    "min_max_scaler": Kind("preprocessing", "MinMaxScaler"),
    "num_discretizer": Kind(
        "preprocessing",
        "KBinsDiscretizer",
        options={"n_bins": 10, "encode": "onehot-dense"},
    ),
    "pca": Kind("decomposition", "PCA"),
    "random_forest": Kind("ensemble", "RandomForestClassifier", targets=1),
    "standard_scaler": Kind("preprocessing", "StandardScaler"),
    "svc": Kind("svm", "SVC", targets=1),
}


class Estimator(StatefulOperator):
    """One model of scikit-learn.

    >>> scaler = Estimator("min_max_scaler", {})
    >>> scaler.feed(10), scaler.feed(30)
    (None, None)
    >>> scaler.fit()
    >>> scaler.predict([(15,)])
    [array([0.25])]
    """

    def __init__(self, kind: str, options: dict[str, object]) -> None:
        """Build the model.

        :raises MissingExtra: if scikit-learn is not installed.
        :raises InvalidOptions: with the nearest name of each unknown option.
        """
        known = KINDS[kind]
        self.targets = known.targets  # type: ignore[misc]  # one class, many kinds
        self._model = _model(kind, known, options)
        self._rows: list[tuple[Any, ...]] = []

    def feed(self, *inputs: Any) -> None:  # noqa: ANN401
        """Take the features of a row, each a number or a vector, then its label.

        :raises ValueError: if there are no features.
        """
        if len(inputs) <= self.targets:
            label = ", and last its label" if self.targets else ""
            raise ValueError(f"a row has features{label}; this one has {len(inputs)}")
        self._rows.append(inputs)

    def fit(self) -> None:
        """Learn from the rows that were fed, and let go of them."""
        rows, self._rows = self._rows, []
        if not rows:
            raise ValueError("there is none to learn from")
        features = [row[: len(row) - self.targets] for row in rows]
        labels = [[row[-1] for row in rows]] if self.targets else []
        self._model.fit(_matrix(features), *labels)

    def predict(self, batch: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Transform, as vectors, or predict, as Python values."""
        if hasattr(self._model, "transform") and not hasattr(self._model, "predict"):
            return list(self._model.transform(_matrix(batch)))
        values: list[Any] = self._model.predict(_matrix(batch)).tolist()
        return values

    def save(self) -> bytes:
        """The model in the format of skops."""
        with needed_for("Saving what was learned", extra=EXTRA):
            from skops.io import dumps
        saved: bytes = dumps(self._model)
        return saved

    def restore(self, saved: bytes, *, trusted: bool = False) -> None:
        """Read a model in the format of skops, which checks each type in it.

        :param trusted: take those of scikit-learn too whose content nobody can check.
        :raises Untrusted: naming the types that it does not take.
        """
        with needed_for("Reading what was learned", extra=EXTRA):
            from skops.io import get_untrusted_types, loads
        unchecked = get_untrusted_types(data=saved)
        ours = all(name.startswith(_OURS) for name in unchecked)
        if unchecked and not (trusted and ours):
            listed = ", ".join(f"`{name}`" for name in unchecked)
            hint = "If you made it, read it with `State.load(folder, trusted=True)`"
            raise Untrusted(f"The file holds {listed}", hint=hint if ours else None)
        model = loads(saved, trusted=unchecked)
        if type(model) is not type(self._model):
            raise Untrusted(f"The file holds a {type(model).__name__}")
        self._model = model


def _model(kind: str, known: Kind, options: dict[str, object]) -> Any:  # noqa: ANN401
    from importlib import import_module  # noqa: PLC0415

    with needed_for(f"`{kind}`", extra=EXTRA):
        module = import_module(f"sklearn.{known.module}")
    make = getattr(module, known.name)
    names = signature(make).parameters
    unknown = [unknown_option(name, names) for name in options if name not in names]
    if unknown:
        raise InvalidOptions(kind, unknown, known=names)
    return make(**{**known.options, **options})


def _matrix(rows: Sequence[tuple[Any, ...]]) -> Any:  # noqa: ANN401
    """One row a row, the numbers and vectors of its columns side by side."""
    import numpy as np

    columns = [np.asarray(column) for column in zip(*rows, strict=True)]
    flat = [column.reshape(len(rows), -1) for column in columns]
    return flat[0] if len(flat) == 1 else np.hstack(flat)
