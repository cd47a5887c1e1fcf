"""Prepared rows become batches of what fits together, as large as memory allows."""

from __future__ import annotations

import threading
import warnings
from typing import TYPE_CHECKING, Any

from plugin_spec.errors import InvalidOperator
from plugin_spec.operator import ModelOperator
from towhee.executors.segments import Prepared, failed

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence
    from typing import TypeAlias

    from towhee.bound import LoadedStep

    Numbered: TypeAlias = tuple[int, Any]

_RAGGED_WINDOW = 8


class BatchHalved(UserWarning):
    """A batch did not fit into memory: the rest of the run takes half as many rows."""


class Batches:
    """One model's batches in one run."""

    def __init__(self, model: LoadedStep, size: int, *, at_once: bool) -> None:
        operator = model.operator.model
        assert operator is not None
        self.model = model
        self.size = size
        self._at_once = at_once
        self._key = operator.batch_key
        self.ragged = type(operator).batch_key is not ModelOperator.batch_key
        self._shrinking = threading.Lock()

    @property
    def window(self) -> int:
        """Rows to choose batches from; several batches' worth if rows are ragged."""
        return self.size * (_RAGGED_WINDOW if self.ragged else 1)

    def predict(self, rows: Sequence[Numbered]) -> list[Numbered]:
        """Compute the rows that are ``Prepared``; the others pass, in their places."""
        results = list(rows)
        for group in self._groups(rows):
            left = group
            while left:
                taken, left = left[: self.size], left[self.size :]
                outputs = self._outputs([rows[place] for place in taken])
                for place, output in zip(taken, outputs, strict=True):
                    results[place] = rows[place][0], output
        return results

    def _groups(self, rows: Sequence[Numbered]) -> Iterator[list[int]]:
        """Places of rows that may share a batch."""
        good = [place for place, (_, row) in enumerate(rows) if type(row) is Prepared]
        if not self.ragged:
            yield good
            return
        groups: dict[Hashable, list[int]] = {}
        for place in good:
            groups.setdefault(self._key(rows[place][1].value), []).append(place)
        yield from groups.values()

    def _outputs(self, batch: Sequence[Numbered]) -> list[Any]:
        try:
            outputs = self.model.operator.predict(
                [prepared.value for _, prepared in batch], at_once=self._at_once
            )
            return [
                self.model.write(prepared.row, output)
                for (_, prepared), output in zip(batch, outputs, strict=True)
            ]
        except (Exception, SystemExit) as caught:  # noqa: BLE001  (the rows' failure)
            error = caught
        if len(batch) == 1 or isinstance(error, InvalidOperator):
            # A broken operator did not meet a bad row.
            return [
                failed(self.model, prepared.origin, error, row)
                for row, prepared in batch
            ]
        size = 1  # One row may have spoilt it for all.
        if is_out_of_memory(error):
            size = self._halve(len(batch))
        # Not in the handler: what did not fit is held by the error's traceback.
        del error
        starts = range(0, len(batch), size)
        return [
            output
            for start in starts
            for output in self._outputs(batch[start : start + size])
        ]

    def _halve(self, size: int) -> int:
        half = max(1, size // 2)
        with self._shrinking:
            if half < self.size:
                self.size = half
                warnings.warn(
                    f"`{self.model}` ran out of memory with a batch of {size}: "
                    f"from here on batches have {half} rows",
                    BatchHalved,
                    stacklevel=2,
                )
        return half


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a smaller batch may fit where one failed so.

    torch's own error is no MemoryError, and is known by its name: torch may be absent.
    """
    names = {found.__name__ for found in type(error).__mro__}
    return isinstance(error, MemoryError) or "OutOfMemoryError" in names
