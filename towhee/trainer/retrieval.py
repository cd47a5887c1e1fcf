"""How well vectors find their like: what an embedding is trained for.

Each image of an evaluation is a query among all others, by the cosine. What is of its
class is relevant; a query that has none is left out.

- ``Recall@k``: the share of queries that have a relevant one among the first ``k``.
- ``MeanAveragePrecision``: as ``towhee.metrics`` defines it, over the whole ranking.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from towhee.trainer.errors import CannotTrain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from towhee.trainer.trainee_module import Outputs

MEAN_AVERAGE_PRECISION: Final = "MeanAveragePrecision"
_RECALL: Final = re.compile(r"Recall@([1-9][0-9]*)")
_ALWAYS: Final = (1, 5)
_ROWS: Final = 512
"""Queries that are ranked at once; each takes as many numbers as there are images."""


def is_retrieval(metric: str) -> bool:
    """Whether a metric is of rankings.

    >>> [is_retrieval(each) for each in ("Recall@1", "MeanAveragePrecision", "Recall")]
    [True, True, False]
    """
    return metric == MEAN_AVERAGE_PRECISION or bool(_RECALL.fullmatch(metric))


def ranked_figures(metric: str) -> list[str]:
    """The names of what is measured for such a metric.

    >>> ranked_figures("Recall@3")
    ['Recall@1', 'Recall@3', 'Recall@5', 'MeanAveragePrecision']
    """
    return [*(f"Recall@{depth}" for depth in _depths(metric)), MEAN_AVERAGE_PRECISION]


def _depths(metric: str) -> list[int]:
    wanted = _RECALL.fullmatch(metric)
    return sorted({*_ALWAYS, *((int(wanted[1]),) if wanted else ())})


class Retrieval:
    """Figures of one evaluation; ``metric`` says which of them is the first."""

    def __init__(self, metric: str) -> None:
        self._metric = metric
        self._depths = _depths(metric)
        self._vectors: list[Tensor] = []
        self._labels: list[Tensor] = []

    def update(self, outputs: Outputs, labels: Tensor) -> None:
        """Take one batch."""
        from torch.nn.functional import normalize

        vectors = normalize(outputs.vectors.detach().float(), dim=1)
        self._vectors.append(vectors.cpu())
        self._labels.append(labels.cpu())

    def value(self) -> float:
        """The metric."""
        return self.figures()[self._metric]

    def figures(self) -> dict[str, float]:
        """Recall at 1, at 5 and at what was asked for, and mean average precision.

        :raises CannotTrain: if no two images are of one class.
        """
        import torch

        hits = [*self._ranked()]
        if not hits:
            raise CannotTrain(
                "No two of the images to evaluate by are of one class",
                hint="Give more of them, or set `metric` to Accuracy",
            )
        recalls = {
            f"Recall@{depth}": torch.cat([each[:, :depth].any(1) for each in hits])
            for depth in self._depths
        }
        precision = torch.cat([_average_precision(each) for each in hits])
        found = {name: float(each.float().mean()) for name, each in recalls.items()}
        return {**found, MEAN_AVERAGE_PRECISION: float(precision.mean())}

    def _ranked(self) -> Iterator[Tensor]:
        """For some queries, whether what stands at each rank is of their class."""
        import torch

        if not self._vectors:
            return
        vectors, labels = torch.cat(self._vectors), torch.cat(self._labels)
        for start in range(0, len(vectors), _ROWS):
            rows = torch.arange(start, min(start + _ROWS, len(vectors)))
            near = vectors[rows] @ vectors.T
            near[torch.arange(len(rows)), rows] = -torch.inf
            # The query itself stands last.
            order = near.argsort(dim=1, descending=True, stable=True)[:, :-1]
            hits = labels[order] == labels[rows, None]
            hits = hits[hits.any(dim=1)]
            if len(hits):
                yield hits


def _average_precision(hits: Tensor) -> Tensor:
    import torch

    ranks = torch.arange(1, hits.shape[1] + 1)
    precision = hits.cumsum(dim=1) / ranks
    return (precision * hits).sum(dim=1) / hits.sum(dim=1)
