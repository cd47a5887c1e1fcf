"""Notes of a run: who did what when. Only a run that is recorded pays for them."""

from __future__ import annotations

import threading
import time
from collections import deque
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from towhee.executors.profile import Profile, Span, StageProfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from towhee.bound import LoadedStep
    from towhee.executors.chunks import Numbered
    from towhee.executors.segments import Functions, Segment
    from towhee.loaded_operator import LoadedOperator

_MOST_SPANS: Final = 100_000
SOURCE: Final = "source"


class Recorder:
    """Notes what the runs of one executor do; ``profile`` sums it up."""

    def __init__(self) -> None:
        self._stages: dict[str, _Stage] = {}
        self._lock = threading.Lock()
        # The last ones, so that a long run does not fill the memory.
        self._spans: deque[Span] = deque(maxlen=_MOST_SPANS)
        self._source = SOURCE
        # In the order in which rows go through them, and what each has seen.
        self._parts = [self]
        self._seen: dict[str, None] = {}

    def part(self, source: str = SOURCE) -> Recorder:
        """Where another run is noted, whose rows may be made of what earlier ones give.

        :param source: what makes its rows; what those runs take is not its own time.
        """
        part = copy(self)
        part._source, part._seen = source, {}  # noqa: SLF001  (one of our own)
        self._parts.append(part)
        return part

    @property
    def profile(self) -> Profile:
        """What was noted until now; functions' seconds are those of the whole part."""
        names = dict.fromkeys(name for each in self._parts for name in each._seen)  # noqa: SLF001  (of our own kind)
        stages = tuple(self._stages[name].summary(name) for name in names)
        return Profile(stages, tuple(self._spans))

    def source(self, pairs: Iterator[Numbered]) -> Iterator[Numbered]:
        """The same rows; the time that pulling each takes is noted."""
        if self._source == SOURCE:
            return self._watched(self.stage(SOURCE), pairs, lambda: 0.0)
        stage = self.stage(self._source)

        def below() -> float:
            others = list(self._stages.values())
            return sum(each.seconds for each in others if each is not stage)

        return self._watched(stage, pairs, below)

    def functions(
        self,
        part: Functions,
        pairs: Iterator[Numbered],
        apply: Callable[[Iterator[Numbered]], Iterator[Numbered]],
    ) -> Iterator[Numbered]:
        """Let ``apply`` work on rows; what pulling them takes is not its own time."""
        below = _Stage()
        given = apply(self._watched(below, pairs, lambda: 0.0))
        name = ".".join(map(str, part.calls))
        return self._watched(self.stage(name), given, lambda: below.seconds)

    def watch(self, segment: Segment) -> Segment:
        """The same operators, each of whose calls is noted."""
        steps = tuple(_WatchedStep(step, self) for step in segment.operators)
        model = segment.model and _WatchedStep(segment.model, self)
        # They have the methods that a segment calls.
        return replace(segment, operators=steps, model=model)  # type: ignore[arg-type]

    def stage(self, name: str) -> _Stage:
        """The notes on a stage, in the order in which stages were first seen."""
        with self._lock:
            self._seen[name] = None
            return self._stages.setdefault(name, _Stage())

    def note(self, name: str, start: float, rows: int, waited: float = 0.0) -> None:
        """Note that a stage worked from ``start`` until now."""
        end = time.perf_counter()
        stage, thread = self.stage(name), threading.current_thread().name
        with self._lock:
            stage.rows += rows
            stage.seconds += end - start
            stage.waited += waited
            stage.batches.append(rows)
            self._spans.append(Span(name, thread, start, end, rows))

    def _watched(
        self, stage: _Stage, pairs: Iterator[Numbered], below: Callable[[], float]
    ) -> Iterator[Numbered]:
        while True:
            start, inner = time.perf_counter(), below()
            pair = next(pairs, None)
            taken = time.perf_counter() - start
            # Several threads below may have worked for longer than this one waited.
            stage.seconds += max(0.0, taken - (below() - inner))
            if pair is None:
                return
            stage.rows += 1
            yield pair


class _Stage:
    def __init__(self) -> None:
        self.rows = 0
        self.seconds = 0.0
        self.waited = 0.0
        self.batches: deque[int] = deque(maxlen=_MOST_SPANS)

    def summary(self, name: str) -> StageProfile:
        return StageProfile(
            name, self.rows, self.seconds, self.waited, tuple(self.batches)
        )


class _WatchedStep:
    """A loaded step that notes its calls; all else is the step's own."""

    def __init__(self, step: LoadedStep, recorder: Recorder) -> None:
        self._step = step
        self._recorder = recorder
        self._ready: dict[int, float] = {}
        self.operator = _WatchedModel(step.operator, recorder, self._ready)
        # Stages stand in a profile in the order in which rows go through them.
        for name in _stage_names(step):
            recorder.stage(name)

    def apply(self, row: object) -> object:
        start = time.perf_counter()
        output = self._step.apply(row)
        self._recorder.note(str(self._step), start, 1)
        return output

    def prepare(self, row: object) -> object:
        start = time.perf_counter()
        prepared = self._step.prepare(row)
        self._recorder.note(f"{self._step} prepare", start, 1)
        self._ready[id(prepared)] = time.perf_counter()
        return prepared

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (the step's own)
        return getattr(self._step, name)

    def __str__(self) -> str:
        return str(self._step)


class _WatchedModel:
    def __init__(
        self, operator: LoadedOperator, recorder: Recorder, ready: dict[int, float]
    ) -> None:
        self._operator = operator
        self._recorder = recorder
        self._ready = ready

    def predict(
        self, batch: Sequence[object], *, at_once: bool = False
    ) -> list[object]:
        start = time.perf_counter()
        waited = sum(start - self._ready.pop(id(row), start) for row in batch)
        outputs = self._operator.predict(batch, at_once=at_once)
        self._recorder.note(f"{self._operator} predict", start, len(batch), waited)
        return outputs

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (the operator's own)
        return getattr(self._operator, name)


def _stage_names(step: LoadedStep) -> tuple[str, ...]:
    if step.operator.model is None:
        return (str(step),)
    return f"{step} prepare", f"{step} predict"
