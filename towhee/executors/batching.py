"""Prepared rows become batches of what fits together, as large as memory allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from plugin_spec.errors import InvalidOperator
from towhee.executors.fusion import Failed
from towhee.executors.segments import Prepared, failed

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from towhee.executors.chunks import Numbered
    from towhee.executors.plan import Plan
    from towhee.executors.run import Fit
    from towhee.executors.segments import Segment

RAGGED_WINDOW: Final = 8


class Batches:
    """One model's batches in one run."""

    def __init__(self, segment: Segment, plan: Plan, fit: Fit) -> None:
        assert segment.model is not None
        self.model = segment.model
        self._wanted = plan.batch_size
        self._at_once = plan.arrangement == "rows"
        self._fit = fit
        self._ragged = segment.is_ragged

    @property
    def size(self) -> int:
        """Rows in a batch, from now on."""
        return min(self._wanted, self._fit.largest)

    @property
    def window(self) -> int:
        """Rows to choose batches from; several batches' worth if rows are ragged."""
        return self.size * (RAGGED_WINDOW if self._ragged else 1)

    def predict(self, rows: Sequence[Numbered]) -> list[Numbered]:
        """Compute the rows that are ``Prepared``; the others pass, in their places."""
        results = list(rows)
        for group in self._groups(rows):
            left = group
            while left:
                size = self.size
                taken, left = left[:size], left[size:]
                outputs = self._outputs([rows[place] for place in taken])
                for place, output in zip(taken, outputs, strict=True):
                    results[place] = rows[place][0], output
        return results

    def _groups(self, rows: Sequence[Numbered]) -> Iterator[list[int]]:
        """Places of rows that may share a batch."""
        good = [place for place, (_, row) in enumerate(rows) if type(row) is Prepared]
        if not self._ragged:
            yield good
            return
        groups: dict[Hashable, list[int]] = {}
        for place in good:
            groups.setdefault(rows[place][1].key, []).append(place)
        yield from groups.values()

    def _outputs(self, batch: Sequence[Numbered]) -> list[Any]:
        try:
            outputs = self.model.operator.predict(
                [prepared.value for _, prepared in batch], at_once=self._at_once
            )
            written = [
                self.model.write(prepared.row, output)
                for (_, prepared), output in zip(batch, outputs, strict=True)
            ]
        except (Exception, SystemExit) as caught:  # noqa: BLE001  (the rows' failure)
            error = caught
        else:
            self._fit.worked(len(batch))
            return written
        if len(batch) == 1 or isinstance(error, InvalidOperator):
            # A broken operator did not meet a bad row.
            return [
                failed(self.model, prepared.origin, error, row)
                for row, prepared in batch
            ]
        is_full = is_out_of_memory(error)
        # Not in the handler: what did not fit is held by the error's traceback.
        del error
        if not is_full:
            # One row may have spoilt it for all.
            return self._in_parts(batch, 1)
        outputs = self._in_parts(batch, len(batch) // 2)
        if not any(map(_fits_not_alone, outputs)):
            self._fit.failed(str(self.model), len(batch))
        return outputs

    def _in_parts(self, batch: Sequence[Numbered], most: int) -> list[Any]:
        outputs: list[Any] = []
        while batch:
            size = min(self.size, most)
            outputs += self._outputs(batch[:size])
            batch = batch[size:]
        return outputs


def _fits_not_alone(output: object) -> bool:
    return type(output) is Failed and is_out_of_memory(output.error.__cause__)


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether a smaller batch may fit where one failed so.

    torch's own error is no MemoryError, and is known by its name: torch may be absent.
    """
    names = {found.__name__ for found in type(error).__mro__}
    return isinstance(error, MemoryError) or "OutOfMemoryError" in names
