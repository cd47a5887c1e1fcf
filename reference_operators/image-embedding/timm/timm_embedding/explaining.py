"""What a timm model looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugin_spec.attribution.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from plugin_spec import Trainee


def subject_of(trainee: Trainee, prepare: Callable[[Any], Tensor]) -> Subject:
    """A network of ours as one to explain: its tokens, and which of them is taken."""
    network: Any = trainee.network
    pooling = network.pooling or getattr(network.model, "global_pool", "avg")
    tokens = getattr(network.model, "num_prefix_tokens", 0)
    return Subject(
        network,
        prepare,
        trainee.head,
        trainee.classes,
        prefix=tokens,
        from_token=pooling in {"cls", "token"},
    )
