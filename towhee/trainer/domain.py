"""What goes into a trained operator, and comes out: measured on its own images."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from plugin_spec.domain import Domain, image_statistics

if TYPE_CHECKING:
    from towhee.data.samples import Samples

_ENOUGH: Final = 512
"""Images whose mean and spread are those of all, within a few parts in a hundred."""
_LEAST: Final = 2


def note_domain(operator: Any, samples: Samples) -> None:  # noqa: ANN401
    """Measure images that an operator was trained on, for ``save`` to keep.

    They are taken evenly from all. Nothing is measured if the operator keeps no such
    statistics, or if the images are tensors: another transform than its own made them.
    """
    if not hasattr(operator, "domain") or len(samples) < _LEAST:
        return
    import numpy as np
    import torch

    count = min(len(samples), _ENOUGH)
    images = (samples[each * len(samples) // count][0] for each in range(count))
    statistics = []
    while batch := list(islice(images, operator.batch_size)):
        if isinstance(batch[0], torch.Tensor):
            return
        prepared = [operator.prepare(np.asarray(image)) for image in batch]
        vectors = operator.predict(prepared)
        pairs = zip(prepared, vectors, strict=True)
        statistics += [image_statistics(*each) for each in pairs]
    space = operator.space
    operator.domain = Domain.of(statistics, space=space and space.fingerprint)


def vector_length(operator: Any, samples: Samples) -> int:  # noqa: ANN401
    """How many numbers a vector has: that of the first image that was trained on."""
    import numpy as np
    import torch

    image = samples[0][0]
    if not isinstance(image, torch.Tensor):
        # A tensor is what another transform made, as the network takes it.
        image = operator.prepare(np.asarray(image))
    (vector,) = operator.predict([image])
    return len(vector)
