"""Measure what images look like to an operator, so that it can tell others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugin_spec.domain import Domain, image_statistics
from towhee.data import dataset
from towhee.studies.errors import CannotStudy
from towhee.studies.layers import prepared_batches
from towhee.trained_weights import trainable_step

if TYPE_CHECKING:
    from towhee.callable_pipeline import CallablePipeline


def measure_domain(op: CallablePipeline, images: Any) -> Domain:  # noqa: ANN401
    """Measure images that a model was trained on; ``op.save(dir)`` keeps what is found.

    :param images: what ``towhee.data.dataset`` opens.
    :raises CannotStudy: if the operator keeps no such statistics.
    """
    operator: Any = trainable_step(op.operators).own().operator
    if not hasattr(operator, "domain"):
        raise CannotStudy("This operator keeps no statistics of its training")
    statistics = [
        image_statistics(prepared, vector)
        for batch in prepared_batches(operator, dataset(images))
        for prepared, vector in zip(batch, operator.predict(batch), strict=True)
    ]
    space = operator.space
    operator.domain = Domain.of(statistics, space=space and space.fingerprint)
    found: Domain = operator.domain
    return found
