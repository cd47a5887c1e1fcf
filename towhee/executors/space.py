"""The plans that a model and a machine leave to choose from."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Final

from towhee.executors.allocator import allocator
from towhee.executors.batching import RAGGED_WINDOW
from towhee.executors.machine import available_processors
from towhee.executors.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from towhee.executors.plan import Arrangement
    from towhee.executors.segments import Segment

    Move: TypeAlias = Callable[[Plan], Plan]

_ROWS_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Space:
    """What a model and the machine leave to choose."""

    workers: int
    batch_size: int
    batch_is_fixed: bool = False
    settings: Mapping[str, Sequence[object]] = field(default_factory=dict)
    can_share: bool = False
    """Whether several threads may predict at once."""
    can_keep: bool = False
    """Whether the allocator can be told to keep memory."""
    is_ragged: bool = False
    model_threads: int | None = None
    """For a model that has the machine to itself; None where that is all of it."""

    @classmethod
    def of(cls, segment: Segment, workers: int) -> Space:
        """The choices for a segment that ends with a model."""
        assert segment.model is not None
        model = segment.model.operator.model
        assert model is not None
        return cls(
            workers=1 if segment.alone else workers,
            batch_size=segment.model.operator.batch_size,
            batch_is_fixed=segment.batch_is_fixed,
            settings=model.settings(),
            can_share=model.concurrent_predict,
            can_keep=allocator.can_keep,
            is_ragged=segment.is_ragged,
            model_threads=None if workers >= available_processors() else workers,
        )

    @property
    def default(self) -> Plan:
        """What is right, and fast enough, where nothing was measured.

        Threads that carry whole rows wait for nobody: that is seldom far from the best,
        and other programs disturb it least.
        """
        first = {name: choices[0] for name, choices in self.settings.items()}
        return self._arrangements[0](Plan(settings=tuple(first.items())))

    def warm_up(self, plan: Plan) -> int:
        """Rows after which every thread has computed a batch of this size."""
        return self._window(plan) * (plan.threads if plan.arrangement == "rows" else 1)

    def turn(self, plan: Plan) -> int:
        """Rows that are timed at least; of an overlap twice what its model takes."""
        return self.warm_up(plan) * (2 if plan.arrangement == "overlap" else 1)

    def under_way(self, plan: Plan) -> int:
        """Rows after a turn that keep every part at work until the turn is over."""
        if plan.arrangement != "overlap":
            return 0
        window = self._window(plan)
        return window + plan.chunks_ahead(window) * plan.chunk

    def _window(self, plan: Plan) -> int:
        return plan.batch_size * (RAGGED_WINDOW if self.is_ragged else 1)

    def keeping(self, plan: Plan) -> Plan:
        """The plan with memory kept, where that can be."""
        return plan.but(allocator="keep") if self.can_keep else plan

    @property
    def settings_moves(self) -> list[Move]:
        """One setting to another of its choices; and memory to be given back."""
        moves: list[Move] = [
            methodcaller("with_setting", name, choice)
            for name, choices in self.settings.items()
            for choice in choices
        ]
        return [*moves, *([_move(allocator="default")] if self.can_keep else [])]

    @property
    def arrangement_moves(self) -> list[Move]:
        """To the other arrangements."""
        return self._arrangements[1:]

    @property
    def _arrangements(self) -> list[Move]:
        """Every arrangement; threads at work are never more than ``workers``."""
        size = self.batch_size
        few = size if self.batch_is_fixed else min(size, _ROWS_AT_ONCE)
        rows = _arranged("rows", few, self.workers, 1)
        phases = _arranged("phases", size, self.workers, self.model_threads)
        if self.workers == 1:
            return [phases]
        overlaps = [
            _arranged("overlap", size, self.workers - predicting, predicting)
            for predicting in sorted({1, self.workers // 2})
        ]
        return [*([rows] if self.can_share else []), phases, *overlaps]


def _arranged(
    arrangement: Arrangement, batch_size: int, threads: int, model_threads: int | None
) -> Move:
    return _move(
        arrangement=arrangement,
        batch_size=batch_size,
        threads=threads,
        model_threads=model_threads,
    )


def _move(**changes: Any) -> Move:  # noqa: ANN401  (fields of a plan)
    return methodcaller("but", **changes)
