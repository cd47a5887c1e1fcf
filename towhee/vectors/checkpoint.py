"""How far a job came; a store keeps it beside the records it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugin_spec.errors import HubError
from towhee.vectors.fingerprints import Mark, differences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MOST: int = 3
"""Differences that a message lists."""


class AnotherJob(HubError, ValueError):
    """A store was begun with another pipeline, or from another source."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything up to a source row is in the store, or was recorded as failed."""

    row: int
    """The row's number in the source, from 0."""
    mark: Mark
    records: int
    failed: int
    pipeline: Sequence[Mapping[str, Any]]
    """What made the vectors: each step's description."""
    numbered: bool | None = None
    """Whether records have their rows' numbers as ids; None if there is no record."""

    @classmethod
    def from_note(cls, note: Mapping[str, Any] | None) -> Checkpoint | None:
        """Read what a store noted; None if no job was begun."""
        if note is None or "row" not in note:
            return None
        return cls(
            note["row"],
            Mark(note["digest"], note["text"]),
            note["records"],
            note["failed"],
            note["pipeline"],
            note["numbered"],
        )

    def to_note(self) -> dict[str, Any]:
        """JSON values that a store keeps."""
        return {
            "row": self.row,
            "digest": self.mark.digest,
            "text": self.mark.text,
            "records": self.records,
            "failed": self.failed,
            "pipeline": self.pipeline,
            "numbered": self.numbered,
        }

    def check_pipeline(self, store: str, pipeline: Sequence[Mapping[str, Any]]) -> None:
        """Refuse to go on with another pipeline.

        :raises AnotherJob: with what differs.
        """
        if found := differences(self.pipeline, pipeline):
            rest = len(found) - _MOST
            more = [f"and {rest} more"] if rest > 0 else []
            listed = "\n".join(f"  {line}" for line in [*found[:_MOST], *more])
            raise AnotherJob(
                f"`{store}` was begun with another pipeline\n{listed}",
                hint="Go on with the one it was begun with, or write somewhere else",
            )

    def check_source(self, store: str, mark: Mark | None) -> None:
        """Refuse to go on from another source.

        :param mark: of the row that has this number now; None if there is none.
        :raises AnotherJob: with what was there.
        """
        if mark is not None and mark.digest == self.mark.digest:
            return
        now = "the source ends before it" if mark is None else f"is {mark.text}"
        raise AnotherJob(
            f"`{store}` was begun from another source: row {self.row} was "
            f"{self.mark.text}, {now}",
            hint="Give the same rows in the same order; new ones may follow them",
        )
