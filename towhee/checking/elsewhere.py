"""Whether an operator gives the same in another process, as parallel executors need."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

from towhee.checking.subject import run_all
from towhee.checking.values import difference, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from towhee.checking.report import Report
    from towhee.checking.samples import Sample
    from towhee.checking.subject import Subject

_STAGE = "another process"


def compare(
    subject: Subject, outputs: Sequence[tuple[Sample, Any]], report: Report
) -> None:
    """Send steps and rows to a new process, and compare what comes back."""
    rows = [sample.value for sample, _ in outputs]
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, context) as pool:
            found = pool.submit(run_all, subject.steps, rows).result()
    except BrokenProcessPool:
        mend = "Run its test, and look for what its libraries do in a new process"
        report.add("error", _STAGE, "ends without a word", mend)
        return
    except Exception as error:  # noqa: BLE001  (what no process can send)
        found = words(error)
    if isinstance(found, str):
        mend = "Return what `pickle` can carry, and need nothing of this process"
        report.add("error", _STAGE, f"fails there: {found}", mend)
        return
    for (sample, here), there in zip(outputs, found, strict=True):
        if problem := difference(here, there):
            report.add(
                "warning",
                _STAGE,
                f"gives another output for {sample.origin}: {problem}",
                "Let nothing but options and files decide: no hash(), time or address",
            )
