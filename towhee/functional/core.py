"""What every method of a collection stands on: its chain, and ways to iterate it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from towhee.chain import Chain, Engine
from towhee.executors.engines import get_executor
from towhee.functional.limits import whole
from towhee.operators import OperatorNamespace, known_attributes
from towhee.outcome import Brief, short_repr
from towhee.pipelines import FunctionCall, Parallel, Pipeline, ends_safe
from towhee.reading.table import by_position
from towhee.rows import Rearranged

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal, Self

    from plugin_spec.spaces import EmbeddingSpace
    from towhee.outcome import Outcome
    from towhee.pipelines import Call, OperatorCall


class Core(Iterable[Any]):
    """Rows, and the pipeline that each will go through.

    A collection is a value: methods return another one.
    """

    __slots__ = ("_chain",)

    def __init__(self, rows: Iterable[Any] | Chain = ()) -> None:
        """Take the rows of any iterable; an iterator gives a stream.

        Frames of pandas and tables of Arrow give their rows, as ``from_df`` and
        ``from_arrow`` do, and a series its values by position, whatever its index.

        :raises TypeError: for text and bytes, which are one value, for frames of other
            packages, and for what cannot be iterated.
        """
        if isinstance(rows, Chain):
            self._chain = rows
        elif isinstance(rows, Core):
            self._chain = rows._chain  # noqa: SLF001  (of our own kind)
        elif isinstance(rows, str | bytes):
            raise TypeError("text and bytes are one value; write `[value]` for its row")
        elif not hasattr(rows, "__iter__") and not hasattr(rows, "__getitem__"):
            value = short_repr(rows)
            raise TypeError(f"{value} holds no rows; write `[value]` for one row")
        else:
            self._chain = Chain.over(by_position(rows))

    @property
    def pipeline(self) -> Pipeline:
        """The calls that each row goes through.

        >>> str(DataCollection([1]).map(str).map(len).pipeline)
        'map(str).map(len)'
        """
        return self._chain.pipeline

    @property
    def is_stream(self) -> bool:
        """Whether rows flow by, rather than being kept.

        >>> DataCollection(iter([1])).is_stream, DataCollection([1]).is_stream
        (True, False)
        """
        return self._chain.is_stream

    @property
    def is_safe(self) -> bool:
        """Whether rows come as ``Some`` and ``Empty``.

        >>> DataCollection([1]).exception_safe().map(str).is_safe
        True
        """
        return ends_safe(self.pipeline.calls)

    @property
    def space(self) -> EmbeddingSpace | None:
        """The space of the rows' vectors, or of those in their one column of vectors.

        >>> DataCollection([[0.0, 1.0]]).space is None
        True

        None if that is not known, as of what a Python function gives. Operators are
        loaded for it, and no row is computed.

        :raises SeveralSpaces: naming the columns, if several hold vectors.
        """
        from towhee.sources import only_space  # noqa: PLC0415  (as it is used)

        return only_space(self._chain.made())

    def then(self, call: Call) -> Self:
        """Let each row go through ``call`` as well.

        >>> from towhee.pipelines import FunctionCall
        >>> DataCollection([1]).then(FunctionCall("map", str)).to_list()
        ['1']
        """
        return type(self)(self._chain.then(call))

    def rearranged(
        self,
        name: str,
        function: Callable[[Iterator[Any]], Iterable[Any]],
        *,
        boxed: bool = False,
        keeps: bool = False,
    ) -> Self:
        """Rows that ``function`` makes of an iterator over these.

        What every method that changes the number or order of rows is made of. Rows of
        an ``exception_safe`` collection that failed go past it, unless it is ``boxed``:
        then it is given every row as it is, ``Some`` or ``Empty``.

        >>> DataCollection([1, 2]).rearranged("reversed()", lambda rows: [*rows][::-1])
        DataCollection(<[1, 2].reversed()>)

        :param name: for people, as in ``batch(2)``.
        :param keeps: whether what comes out are some of the rows, as they were.
        """
        return self.over(Rearranged(self._chain, name, function, boxed, keeps))

    def over(self, rows: Iterable[Any]) -> Self:
        """A collection of other rows, which is run as this one is.

        Rows that are ``Some`` and ``Empty`` here are so there.

        >>> DataCollection([1]).set_engine("local").over([2]).to_list()
        [2]
        """
        safe = self.is_safe
        calls = (FunctionCall("resume", bool),) if safe else ()
        return type(self)(
            self._chain.derive(rows=rows, pipeline=Pipeline(calls), parent=None)
        )

    def stream(self) -> Self:
        """The same rows, computed as they are asked for, and not kept.

        >>> DataCollection([1, 2]).stream().is_stream
        True
        """
        return type(self)(self._chain.derive(is_stream=True))

    def unstream(self) -> Self:
        """The same rows, kept once they were computed.

        >>> kept = DataCollection(iter("ab")).unstream()
        >>> kept.to_list() + kept.to_list()
        ['a', 'b', 'a', 'b']
        """
        return type(self)(self._chain.unstream())

    def set_engine(self, name: str, **options: object) -> Self:
        """Let another engine do the work; ``local`` is this process.

        >>> DataCollection([1]).set_engine("local").map(str).to_list()
        ['1']

        :param options: as the engine takes them.
        :raises UnknownEngine: at once, with the engines that are installed.
        """
        get_executor(name, **options)
        engine = Engine(name, tuple(options.items()))
        return type(self)(self._chain.derive(engine=engine))

    def set_parallel(
        self, num_worker: int = 2, backend: Literal["thread", "process"] = "thread"
    ) -> Self:
        """Run the functions that follow in several threads or processes; order stays.

        Threads suit functions that wait, or leave Python; processes those that compute
        in Python, which must be importable by name.

        >>> DataCollection.range(4).set_parallel(2).map(str).to_list()
        ['0', '1', '2', '3']

        :raises ValueError: for another backend, or fewer workers than one.
        """
        if backend not in ("thread", "process"):
            raise ValueError(f"backend is 'thread' or 'process', not {backend!r}")
        parallel = Parallel(whole("num_worker", num_worker), backend)
        return type(self)(self._chain.derive(parallel=parallel))

    def unset_parallel(self) -> Self:
        """Run the functions that follow in the caller's thread again.

        >>> DataCollection([1]).set_parallel(2).unset_parallel().map(str).to_list()
        ['1']
        """
        return type(self)(self._chain.derive(parallel=None))

    def to_list(self) -> list[Any]:
        """Compute every row.

        >>> DataCollection.range(3).map(str).to_list()
        ['0', '1', '2']

        :raises OperatorFailed: on the first row that fails.
        """
        chain = self._chain
        return list(chain.values() if chain.is_stream else chain.stored())

    def run(self) -> Iterator[Outcome]:
        """Compute rows one after the other; one that fails does not stop the rest.

        >>> good, bad = DataCollection(["1", "x"]).map(int).run()
        >>> good.value, bad.error.row, bad.error.input
        (1, 1, 'x')
        """
        return self._chain.outcomes()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._chain)

    def __len__(self) -> int:
        return len(self._chain)

    def __getitem__(self, index: int | slice) -> Any:  # noqa: ANN401  (a row, or a collection for a slice)
        rows = self._chain[index]
        return self.over(rows) if isinstance(index, slice) else rows

    def __getattr__(self, namespace: str) -> OperatorNamespace[Self]:
        return OperatorNamespace.of(type(self), namespace, self._operate)

    def _operate(self, call: OperatorCall) -> Self:
        """What an operator's call makes."""
        return self.then(call)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(first for first, _ in known_attributes())})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Core) and self._chain == other._chain

    __hash__ = None  # type: ignore[assignment]  # rows may be unhashable

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self._chain,)

    def __repr__(self) -> str:
        chain = f".{self.pipeline}" if self.pipeline.calls else ""
        rows = self._chain.rows
        # The rows of a rearranged chain say themselves where they come from.
        source = repr(rows) if isinstance(rows, Rearranged) else Brief().repr(rows)
        return f"{type(self).__name__}({source}){chain}"
