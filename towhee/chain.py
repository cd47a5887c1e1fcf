"""Rows and the pipeline that they go through, and how they are computed and kept."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from plugin_spec.errors import HubError
from towhee.executors import DEFAULT_ENGINE
from towhee.executors.engines import get_executor
from towhee.pipelines import FunctionCall, Pipeline, ends_safe
from towhee.row_numbers import NumberedRows, RowNumbers, numbered
from towhee.rows import (
    DerivedRows,
    KeptDerivedRows,
    KeptRows,
    OneTimeRows,
    SourcedRows,
    is_sized,
)
from towhee.shared_rows import GrowingRows, Reader

if TYPE_CHECKING:
    from towhee.bound import BoundPipeline
    from towhee.evaluations import Evaluations
    from towhee.executors import Executor
    from towhee.executors.explanation import Explanation
    from towhee.learning.modes import Mode
    from towhee.outcome import Outcome
    from towhee.pipelines import Call, Parallel
    from towhee.sources import Known


_BEGINNING = threading.Lock()
_RENUMBERING = frozenset({"filter", "flat_map", "drop_empty"})
"""Kinds of calls that leave rows out, or make several of one."""


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
    numbers: RowNumbers | None = None
    """Those of ``rows`` in the source, if they are not 0, 1, 2 and so on."""
    trainings: tuple[int, ...] = ()
    growing: GrowingRows | None = None
    """Rows that somebody computes just now."""
    is_shared: bool = False
    """Whether chains that go on from here read its rows, rather than compute them."""


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
        elif isinstance(rows, DerivedRows) and self.begins_once():
            rows = KeptDerivedRows(rows)
        return self.derive(rows=rows, is_stream=False)

    def values(self) -> Iterator[Any]:
        """Compute every row, keeping none."""
        return self._values(*self._work())

    def _values(self, rows: Iterable[Any], bound: BoundPipeline) -> Iterator[Any]:
        if not bound.groups:
            return iter(rows)
        return self.engine.executor().values(bound, rows)

    def outcomes(self) -> Iterator[Outcome]:
        """Compute every row; one that fails does not stop the rest."""
        rows, bound = self._work()
        if self.is_safe and not bound.groups:
            # They were kept as ``Some`` and ``Empty``, and an outcome holds no such.
            bound = bound.resumed()
        return self.engine.executor().run(bound, rows)

    def explain(self) -> Explanation:
        """How the next run would go; rows that were kept are not computed again."""
        bound, at = self._bind(), self._begins_at()
        if at is not None:
            bound = bound.after(len(at.pipeline.calls))
        return self.engine.executor().explain(bound)

    def first(self, count: int) -> Iterator[Any]:
        """Compute at most ``count`` rows, and pull no more rows than they need."""
        rows, bound = self._work()
        source, executor = numbered(rows), self.engine.executor()
        # Where one row may become many, nobody knows how many of them are enough.
        widens = any(getattr(step, "kind", None) == "flat_map" for step in bound.steps)
        with executor.lasting():
            while block := list(islice(source, min(count, 1) if widens else count)):
                numbers, values = zip(*block, strict=True)
                taken = NumberedRows(values, RowNumbers.of(numbers))
                for value in executor.values(bound, taken, start=numbers[0]):
                    yield value
                    count -= 1
                    if not count:
                        return

    def peek(self, count: int) -> list[Any]:
        """The first values; what iterators gave for them can still be read."""
        with ExitStack() as stack:
            for rows in self._given_once():
                stack.enter_context(rows.lent())
            return list(self.first(count))

    def begins_once(self) -> bool:
        """Whether some of its rows come of an iterator that gives each once."""
        return any(
            isinstance(rows, OneTimeRows) or rows.shared.rows.begins_once()
            for rows in self._given_once()
        )

    def _given_once(self) -> list[OneTimeRows | Reader]:
        """Where rows come from that are gone once they were read."""
        found: dict[int, OneTimeRows | Reader] = {}
        left: list[Chain] = [self]
        while left:
            chain = left.pop()
            if isinstance(chain.rows, OneTimeRows | Reader):
                found[id(chain.rows)] = chain.rows
            elif isinstance(chain.rows, KeptDerivedRows):
                continue
            elif (at := chain._begins_at()) is None or at.kept_rows() is None:  # noqa: SLF001  (of our own kind)
                left += chain._origins()  # noqa: SLF001
        return list(found.values())

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
        if kept is not None:
            return kept
        if self.memory.growing is not None:
            return list(self.memory.growing)
        numbers = self._numbers()
        return self._keep(tuple(self._noted(numbers)), numbers)

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
        if known is not None or self.memory.is_shared:
            yield from self._growing() if known is None else known
            return
        kept, numbers = [], self._numbers()
        for value in self._noted(numbers):
            kept.append(value)
            yield value
        self._keep(kept, numbers)

    def share(self) -> Chain:
        """Compute a list's rows once for all who read them at the same time.

        Chains that go on from it read its rows, too, and do not compute their own. It
        costs half a microsecond a row. Streams stay as they are.
        """
        self.memory.is_shared = not self.is_stream
        return self

    def before(self) -> tuple[Chain, ...]:
        """The chains that this one goes on from."""
        return self._origins() if self.parent is None else (self.parent,)

    def origins(self) -> tuple[Chain, ...]:
        """The chains that have to be computed before this one begins.

        Not those whose rows were kept, nor those of a list that was.
        """
        at = self._begins_at()
        if at is None:
            return self._origins()
        return () if at.kept_rows() is not None else (at,)

    def _origins(self) -> tuple[Chain, ...]:
        rows = self.rows
        if isinstance(rows, Chain):
            return (rows,)
        return rows.origins() if isinstance(rows, DerivedRows) else ()

    def trainings(self) -> tuple[int, ...]:
        """How often each operator that is mapped here, or below, was trained."""
        rows = self.rows
        below: tuple[int, ...] = ()
        if isinstance(rows, SourcedRows | Chain):
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

    def _keep(self, rows: Sequence[Any], numbers: RowNumbers | None) -> Sequence[Any]:
        memory = self.memory
        memory.rows, memory.numbers = rows, numbers
        memory.trainings = self.trainings()
        return rows

    def _growing(self) -> GrowingRows:
        """Its rows, computed once for all who read them meanwhile."""
        growing = self.memory.growing
        if growing is None:
            growing = GrowingRows(self._noted, self._settle, self._numbers())
            with _BEGINNING:
                # Another thread may have been faster: one computes for both.
                growing = self.memory.growing = self.memory.growing or growing
        return growing

    def _settle(self, rows: list[Any] | None, numbers: RowNumbers | None) -> None:
        self.memory.growing = None
        if rows is not None:
            self._keep(rows, numbers)

    def _numbers(self) -> RowNumbers | None:
        """What is to hold the numbers of its rows, unless they are 0, 1, 2, …."""
        rows, bound = self._work()
        if self._keeps_numbers(bound) and not isinstance(rows, NumberedRows):
            return None
        return RowNumbers()

    def _noted(self, numbers: RowNumbers | None) -> Iterator[Any]:
        """Compute every row; ``numbers`` takes that of each before it comes."""
        rows, bound = self._work()
        if numbers is None:
            return self._values(rows, bound)
        if not bound.groups:
            return numbers.noted(rows)
        return self.engine.executor().noted_values(bound, rows, numbers)

    def _keeps_numbers(self, bound: BoundPipeline) -> bool:
        """Whether each row that goes in comes out, and in that order."""
        if not bound.groups:
            return True
        # Other engines may give rows as they become ready.
        return self.engine.name == DEFAULT_ENGINE and not any(
            getattr(step, "kind", None) in _RENUMBERING for step in bound.steps
        )

    def _bind(self) -> BoundPipeline:
        if self.memory.bound is None:
            from towhee.binding import bind  # noqa: PLC0415  (only for what runs)

            calls = self.pipeline.calls
            plain = all(isinstance(call, FunctionCall) for call in calls)
            self.memory.bound = bind(self.pipeline, {} if plain else self.given())
        return self.memory.bound

    def _begins_at(self) -> Chain | None:
        """The nearest chain before this one whose rows need not be computed for it."""
        chain: Chain | None = self
        keeps = True
        while chain is not None:
            if chain.kept_rows() is not None:
                return chain
            keeps = keeps and not chain.is_stream
            if keeps and chain.memory.is_shared and chain is not self:
                return chain
            chain = chain.parent
        return None

    def _work(self) -> tuple[Iterable[Any], BoundPipeline]:
        """Rows to start from, and the steps that they still have to go through."""
        bound, chain = self._bind(), self._begins_at()
        if chain is None:
            return self.rows, bound
        rows: Iterable[Any] | None = chain.kept_rows()
        numbers = chain.memory.numbers
        if rows is None:
            rows = growing = chain._growing()  # noqa: SLF001  (of our own kind)
            numbers = growing.numbers
        if numbers is not None:
            rows = NumberedRows(rows, numbers)
        return rows, bound.after(len(chain.pipeline.calls))
