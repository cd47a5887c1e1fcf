"""Which layer of a model serves labelled images best."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.layered import HasLayers
from plugin_spec.operator import ModelOperator
from plugin_spec.pool import threads
from towhee.executors.threads import in_order
from towhee.studies.errors import CannotStudy
from towhee.studies.neighbours import nearest_others, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from towhee.data import Samples

_AHEAD: Final = 2
"""Batches that are prepared while the model computes another."""
_CLEAR: Final = 2.0
"""Standard errors that a difference has to have to be one."""


@dataclass(frozen=True, slots=True)
class LayerResult:
    """How one layer serves."""

    layer: str
    precision: float
    """Of the nearest neighbours of an image, the part with its label; the mean."""
    error: float
    """The standard error of that."""
    size: int
    """Numbers in a vector."""
    milliseconds: float
    """What the model takes for an image, in batches."""


@dataclass(frozen=True, slots=True)
class LayerStudy:
    """How each layer serves, from the input on."""

    results: tuple[LayerResult, ...]
    neighbours: int
    images: int
    classes: int
    in_use: str | None
    """The layer that the operator takes as it was made."""
    by_chance: float
    """The precision of neighbours that are drawn."""
    possible: float
    """The greatest precision: a class may have fewer images than neighbours asked."""
    is_clear: bool
    """Whether the best is better than the layer in use by more than chance does."""

    @property
    def best(self) -> LayerResult:
        """Of the greatest precision; of equal ones the smallest, then the quickest."""
        return max(
            self.results,
            key=lambda each: (each.precision, -each.size, -each.milliseconds),
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {**asdict(self), "best": self.best.layer}


def study_layers(
    operator: object,
    samples: Samples,
    *,
    neighbours: int = 5,
    advance: Callable[[], object] = bool,
) -> LayerStudy:
    """Embed images at every layer, and look for each among the others.

    Images are read and prepared once for all layers.

    :param advance: called for each image that is done.
    :raises CannotStudy: if the operator has no layers, or images no two classes.
    """
    layers = _layers(operator)
    assert isinstance(operator, ModelOperator)
    labels = _labels(samples, neighbours)
    vectors: dict[str, list[Any]] = {name: [] for name in layers}
    seconds = dict.fromkeys(layers, 0.0)
    for batch in prepared_batches(operator, samples):
        for name, layer in layers.items():
            if not vectors[name]:
                layer.predict(batch)  # what only a first call takes is not counted
            started = time.perf_counter()
            vectors[name].extend(layer.predict(batch))
            seconds[name] += time.perf_counter() - started
        for _ in batch:
            advance()
    precisions = {
        name: _precisions(unit_vectors(found, f"Layer `{name}`"), labels, neighbours)
        for name, found in vectors.items()
    }
    results = tuple(
        LayerResult(
            layer=name,
            precision=round(float(found.mean()), 4),
            error=round(_standard_error(found), 4),
            size=len(vectors[name][0]),
            milliseconds=round(1000 * seconds[name] / len(samples), 2),
        )
        for name, found in precisions.items()
    )
    space = operator.space
    return _summed_up(
        results, precisions, labels, neighbours, space.layer if space else None
    )


def _layers(operator: object) -> dict[str, ModelOperator]:
    if not isinstance(operator, HasLayers) or not isinstance(operator, ModelOperator):
        raise CannotStudy(
            "This operator has no layers to choose from",
            hint="Name one that has, such as `image-embedding/timm`",
        )
    return {name: operator.at_layer(name) for name in operator.layer_names()}


def _labels(samples: Samples, neighbours: int) -> NDArray[np.intp]:
    import numpy as np

    found = samples.labels
    if found is None:
        found = tuple(label for _, label in samples)
    counts = Counter(found)
    if len(counts) < 2 or len(found) <= neighbours:  # noqa: PLR2004  (classes)
        raise CannotStudy(
            f"{samples!r} are too few to tell layers apart by {neighbours} neighbours",
            hint="Give two classes at least, each with more images than neighbours",
        )
    return np.array(found, np.intp)


def prepared_batches(operator: ModelOperator, samples: Samples) -> Iterator[list[Any]]:
    """Batches of what the model takes; a few are made ahead, in threads."""
    import numpy as np

    def prepared(index: int) -> Any:  # noqa: ANN401
        image, _ = samples[index]
        return operator.prepare(np.asarray(image))

    size, indexes = operator.batch_size, range(len(samples))
    with threads(os.cpu_count() or 1) as pool:
        ready = in_order(pool, prepared, indexes, ahead=_AHEAD * size)
        while batch := list(islice(ready, size)):
            yield batch


def _precisions(
    vectors: NDArray[np.float32], labels: NDArray[np.intp], count: int
) -> NDArray[np.float64]:
    """Of each image, the part of its neighbours that have its label."""
    near = nearest_others(vectors, vectors, count)
    found: NDArray[np.float64] = (labels[near] == labels[:, None]).mean(axis=1)
    return found


def _standard_error(values: NDArray[np.float64]) -> float:
    return float(values.std() / len(values) ** 0.5)


def _summed_up(
    results: Sequence[LayerResult],
    precisions: Mapping[str, NDArray[np.float64]],
    labels: NDArray[np.intp],
    neighbours: int,
    in_use: str | None,
) -> LayerStudy:
    import numpy as np

    others = np.bincount(labels)[labels] - 1
    study = LayerStudy(
        results=tuple(results),
        neighbours=neighbours,
        images=len(labels),
        classes=len(set(labels.tolist())),
        in_use=in_use if in_use in precisions else None,
        by_chance=round(float(others.mean() / (len(labels) - 1)), 4),
        possible=round(float((np.minimum(others, neighbours) / neighbours).mean()), 4),
        is_clear=False,
    )
    if study.in_use is None:
        return study
    # Of each image by itself: what is hard for all layers says nothing of one.
    gains = precisions[study.best.layer] - precisions[study.in_use]
    is_clear = float(gains.mean()) > _CLEAR * _standard_error(gains)
    return replace(study, is_clear=is_clear)
