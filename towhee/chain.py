"""Rows and the pipeline that they go through, and how they are computed and kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from plugin_spec.errors import HubError
from towhee.executors import DEFAULT_ENGINE
from towhee.executors.engines import get_executor
from towhee.joined_rows import Joined
from towhee.pipelines import FunctionCall, Pipeline, ends_safe
from towhee.rows import KeptRows, OneTimeRows, SourcedRows, is_sized

if TYPE_CHECKING:
    from towhee.bound import BoundPipeline
    from towhee.evaluations import Evaluations
    from towhee.executors import Executor
    from towhee.executors.explanation import Explanation
    from towhee.learning.modes import Mode
    from towhee.outcome import Outcome
    from towhee.pipelines import Call, Parallel
    from towhee.sources import Known


class NotIndexable(HubError, TypeError):
    """A stream's rows have no numbers that one could ask for."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What runs a chain, by name, and the options it is made with."""

    name: str = DEFAULT_ENGINE
    options: tuple[tuple[str, object], ...] = ()

    def executor(self) -> Executor:
        """Make it."""
        return get_executor(self.name, **dict(self.options))


@dataclass(slots=True)
class _Memory:
    """What a chain found out when it ran; no part of its value."""

    bound: BoundPipeline | None = None
    rows: Sequence[Any] | None = None
    trainings: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Chain(Iterable[Any]):
    """A value to iterate: a stream is computed anew, any other is remembered."""

    rows: Iterable[Any]
    pipeline: Pipeline
    is_stream: bool
    engine: Engine = Engine()
    parallel: Parallel | None = None
    evaluations: Evaluations | None = field(default=None, compare=False, repr=False)
    learning: Mode | None = field(default=None, compare=False, repr=False)
    parent: Chain | None = field(default=None, compare=False, repr=False)
    memory: _Memory = field(default_factory=_Memory, compare=False, repr=False)

    @classmethod
    def over(cls, rows: Iterable[Any]) -> Chain:
        """A chain that does nothing yet; an iterator makes it a stream."""
        if isinstance(rows, Iterator):
            rows = OneTimeRows(rows)
        if isinstance(rows, list):
            rows = rows.copy()
        return cls(rows, Pipeline(), is_stream=not is_sized(rows))

    @property
    def is_safe(self) -> bool:
        """Whether rows come as ``Some`` and ``Empty``."""
        return ends_safe(self.pipeline.calls)

    def derive(self, **changes: Any) -> Chain:  # noqa: ANN401  (fields of this class)
        """A chain with other fields, which starts from rows that this one kept."""
        same = {
            "rows": self.rows,
            "pipeline": self.pipeline,
            "is_stream": self.is_stream,
            "engine": self.engine,
            "parallel": self.parallel,
            "evaluations": self.evaluations,
            "learning": self.learning,
            "parent": self,
        }
        # What `replace` of dataclasses does, at half its cost: every method is one.
        return Chain(**{**same, **changes})

    def then(self, call: Call) -> Chain:
        """A chain whose rows go through ``call`` as well."""
        pipeline = self.pipeline
        settles = getattr(call, "kind", None) in {"drop_empty", "fill_empty"}
        if settles and not self.is_safe:
            # They may have been computed, and wrapped, by another chain.
            pipeline = pipeline.then(FunctionCall("resume", bool))
        return self.derive(pipeline=pipeline.then(call))

    def given(self) -> Known:
        """What makes the vectors in the rows that it begins with."""
        rows = self.rows
        return rows.made() if isinstance(rows, SourcedRows | Chain) else {}

    def made(self) -> Known:
        """What makes the vectors in its rows, as far as that is known."""
        if not self.pipeline.calls:
            return self.given()
        from towhee.sources import Sources  # noqa: PLC0415  (as it is used)

        sources = Sources(self.given())
        sources.through(self._bind().steps)
        return sources.known

    def unstream(self) -> Chain:
        """The same rows, kept once they were computed."""
        rows = self.rows
        if isinstance(rows, OneTimeRows):
            # Chains that start here share the rows that the iterator gives once.
            rows = KeptRows(rows)
        return self.derive(rows=rows, is_stream=False)

    def values(self) -> Iterator[Any]:
        """Compute every row, keeping none."""
        rows, bound = self._work()
        if not bound.groups:
            return iter(rows)
        return self.engine.executor().values(bound, rows)

    def outcomes(self) -> Iterator[Outcome]:
        """Compute every row; one that fails does not stop the rest."""
        rows, bound = self._work()
        return self.engine.executor().run(bound, rows)

    def explain(self) -> Explanation:
        """How the next run would go; rows that were kept are not computed again."""
        _, bound = self._work()
        return self.engine.executor().explain(bound)

    def first(self, count: int) -> Iterator[Any]:
        """Compute at most ``count`` rows, and pull no more rows than they need."""
        rows, bound = self._work()
        source, executor, start = iter(rows), self.engine.executor(), 0
        # Where one row may become many, nobody knows how many of them are enough.
        widens = any(getattr(step, "kind", None) == "flat_map" for step in bound.steps)
        while block := list(islice(source, min(count, 1) if widens else count)):
            for value in executor.values(bound, block, start=start):
                yield value
                count -= 1
                if not count:
                    return
            start += len(block)

    def peek(self, count: int) -> list[Any]:
        """The first values; an iterator's rows can still be read afterwards."""
        rows = self.rows
        if not isinstance(rows, OneTimeRows):
            return list(self.first(count))
        with rows.lent() as lent:
            return list(self.derive(rows=lent, parent=None).first(count))

    def at_hand(self) -> Sequence[Any] | None:
        """Every row, if they are there without computing one."""
        kept = self.kept_rows()
        if kept is not None:
            return kept
        if self.pipeline.calls or not is_sized(self.rows):
            return None
        return self.rows if getattr(self.rows, "is_computed", True) else None  # type: ignore[return-value]

    def stored(self) -> Sequence[Any]:
        """Every row; computed now if that was not done before.

        :raises NotIndexable: for a stream, unless it does nothing to a sequence.
        """
        if not self.pipeline.calls and is_sized(self.rows):
            return self.rows  # type: ignore[return-value]  # as was just asked
        if self.is_stream:
            raise NotIndexable(
                "A stream has no length, and its rows have no numbers",
                hint="Call `unstream()`, which keeps the rows",
            )
        kept = self.kept_rows()
        return self._keep(tuple(self.values())) if kept is None else kept

    def __iter__(self) -> Iterator[Any]:
        if not self.pipeline.calls and is_sized(self.rows):
            return iter(self.rows)
        return self.values() if self.is_stream else self._walk()

    def __len__(self) -> int:
        return len(self.stored())

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401  (a number or a slice)
        return self.stored()[index]

    def __reduce__(self) -> tuple[object, ...]:
        # What was computed or loaded stays here.
        return Chain, (
            self.rows,
            self.pipeline,
            self.is_stream,
            self.engine,
            self.parallel,
            self.evaluations,
            self.learning,
        )

    def _walk(self) -> Iterator[Any]:
        # Nothing starts before the first row: list() asks for the length in between.
        known = self.kept_rows()
        if known is None:
            kept = []
            for value in self.values():
                kept.append(value)
                yield value
            self._keep(kept)
        else:
            yield from known

    def trainings(self) -> tuple[int, ...]:
        """How often each operator that is mapped here, or below, was trained."""
        rows = self.rows
        below: tuple[int, ...] = ()
        if isinstance(rows, SourcedRows | Chain | Joined):
            below = rows.trainings()
        functions: list[Any] = [
            getattr(call, "function", None) for call in self.pipeline.calls
        ]
        ours = (each for each in functions if hasattr(type(each), "trainings"))
        return (*below, *(each.trainings for each in ours))

    def kept_rows(self) -> Sequence[Any] | None:
        """Rows that were computed; none if what made them was trained since."""
        memory = self.memory
        if memory.rows is not None and memory.trainings != self.trainings():
            memory.rows = None
        return memory.rows

    def _keep(self, rows: Sequence[Any]) -> Sequence[Any]:
        self.memory.rows, self.memory.trainings = rows, self.trainings()
        return rows

    def _bind(self) -> BoundPipeline:
        if self.memory.bound is None:
            from towhee.binding import bind  # noqa: PLC0415  (only for what runs)

            calls = self.pipeline.calls
            plain = all(isinstance(call, FunctionCall) for call in calls)
            self.memory.bound = bind(self.pipeline, {} if plain else self.given())
        return self.memory.bound

    def _work(self) -> tuple[Iterable[Any], BoundPipeline]:
        """Rows to start from, and the steps that they still have to go through."""
        bound = self._bind()
        chain: Chain | None = self
        while chain is not None:
            kept = chain.kept_rows()
            if kept is not None:
                return kept, bound.after(len(chain.pipeline.calls))
            chain = chain.parent
        return self.rows, bound
