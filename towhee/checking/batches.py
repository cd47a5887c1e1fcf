"""Whether a batch gives each row what the row would get alone."""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from plugin_spec.errors import InvalidOperator
from towhee.checking.values import difference, words

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from towhee.checking.report import Report
    from towhee.checking.samples import Sample
    from towhee.checking.subject import Subject
    from towhee.loaded_operator import LoadedOperator


def compare(
    subject: Subject, outputs: Sequence[tuple[Sample, Any]], report: Report
) -> None:
    """Predict rows together, by their batch keys, and compare with ``outputs``."""
    (step,) = subject.steps
    loaded = step.load()
    if loaded.model is None:
        return
    try:
        for rows in _groups(loaded, outputs):
            together = loaded.predict([prepared for prepared, _, _ in rows])
            for (_, sample, alone), output in zip(rows, together, strict=True):
                if problem := difference(alone, output):
                    report.add(
                        "error",
                        "batch",
                        f"gives {sample.origin} another output in a batch: {problem}",
                        "Let no row of `predict` depend on those beside it, "
                        "or tell such rows apart in `batch_key`",
                    )
    except InvalidOperator as error:
        mend = error.hint or "Return one output for each row, in their order"
        report.add("error", "batch", str(error), mend)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (whatever it is)
        report.add(
            "error",
            "batch",
            f"fails on rows that it takes alone: {words(error)}",
            "Let `batch_key` tell apart rows that cannot share a batch",
        )


def _groups(
    loaded: LoadedOperator, outputs: Sequence[tuple[Sample, Any]]
) -> list[list[tuple[Any, Sample, Any]]]:
    """Prepared rows that may share a batch, each with what it gave alone."""
    assert loaded.model is not None
    groups: dict[Hashable, list[tuple[Any, Sample, Any]]] = defaultdict(list)
    for sample, alone in outputs:
        prepared = loaded.prepare(copy.deepcopy(sample.value))
        key = loaded.model.batch_key(prepared)
        groups[key].append((prepared, sample, alone))
    return list(groups.values())
