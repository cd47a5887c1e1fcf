"""A lazy chain: nothing is installed, loaded or read until a row is asked for."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from towhee.chain import Chain
from towhee.executors import get_executor
from towhee.operators import OperatorNamespace, known_attributes
from towhee.pipelines import FunctionCall, Pipeline
from towhee.rows import FirstRows, Selection, matching_files

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from towhee.outcome import Outcome
    from towhee.pipelines import Call


class DataCollection(Iterable[Any]):
    """Rows, and the pipeline that each will go through.

    A collection is a value: every method returns another one. Attributes that are no
    methods are operators, as in ``photos.image_decode.cv2()``.

    Over a list, rows are computed once, remembered, and can be asked for by number. A
    stream computes them as they are asked for and keeps none; over an iterator it can
    be read once.

    >>> DataCollection(["a.jpg", "b.jpg"]).map(len)
    DataCollection(['a.jpg', 'b.jpg']).map(len)
    """

    __slots__ = ("_chain",)

    def __init__(self, rows: Iterable[Any] | Chain = ()) -> None:
        """Take the rows of any iterable; an iterator gives a stream.

        :raises TypeError: for text and bytes, which are one value.
        """
        if isinstance(rows, str | bytes):
            raise TypeError("text and bytes are one value; write `[value]` for its row")
        if isinstance(rows, DataCollection):
            self._chain: Chain = rows._chain  # noqa: SLF001  (of our own kind)
        else:
            self._chain = rows if isinstance(rows, Chain) else Chain.over(rows)

    @classmethod
    def range(cls, *bounds: int) -> DataCollection:
        """Stream the numbers that ``range`` gives.

        >>> DataCollection.range(2, 5).to_list()
        [2, 3, 4]
        """
        return cls(range(*bounds)).stream()

    @classmethod
    def from_glob(cls, *patterns: str | os.PathLike[str]) -> DataCollection:
        """Stream the paths of the files that match, sorted.

        >>> DataCollection.from_glob("photographs/*.jpg")
        Traceback (most recent call last):
        ...
        towhee.rows.EmptyGlob: No file matches `photographs/*.jpg` in ...

        :raises EmptyGlob: at once, if no file does.
        """
        return cls(matching_files(patterns)).stream()

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

    def then(self, call: Call) -> DataCollection:
        """Let each row go through ``call`` as well.

        >>> DataCollection([1]).then(FunctionCall("map", str)).to_list()
        ['1']
        """
        return DataCollection(self._chain.derive(pipeline=self.pipeline.then(call)))

    def map(self, function: Callable[[Any], Any]) -> DataCollection:
        """Replace each row by what ``function`` returns for it.

        >>> DataCollection([1, 2]).map(str).to_list()
        ['1', '2']
        """
        return self.then(FunctionCall("map", function))

    def filter(self, function: Callable[[Any], Any]) -> DataCollection:
        """Keep the rows for which ``function`` returns something true.

        >>> DataCollection(["a", "1"]).filter(str.isdigit).to_list()
        ['1']
        """
        return self.then(FunctionCall("filter", function))

    def select_from(self, other: DataCollection) -> DataCollection:
        """Replace each row, a number or several, by the rows of ``other`` it names.

        >>> letters = DataCollection(["a", "b", "c"])
        >>> DataCollection([2, [0, 1]]).select_from(letters).to_list()
        ['c', ['a', 'b']]

        :raises NotIndexable: for the first row, if ``other`` is a stream.
        """
        return self.map(Selection(other))

    def head(self, count: int = 5) -> DataCollection:
        """The first rows; no more of the source is read than they need.

        >>> numbers = iter(range(10))
        >>> DataCollection(numbers).map(str).head(2).to_list(), next(numbers)
        (['0', '1'], 2)
        """
        return DataCollection(FirstRows(self._chain, count)).unstream()

    def stream(self) -> DataCollection:
        """The same rows, computed as they are asked for, and not kept.

        >>> DataCollection([1, 2]).stream().is_stream
        True
        """
        return DataCollection(self._chain.derive(is_stream=True))

    def unstream(self) -> DataCollection:
        """The same rows, kept once they were computed.

        >>> kept = DataCollection(iter("ab")).unstream()
        >>> kept.to_list() + kept.to_list()
        ['a', 'b', 'a', 'b']
        """
        return DataCollection(self._chain.unstream())

    def set_engine(self, name: str) -> DataCollection:
        """Let another engine do the work; ``local`` is this process.

        >>> DataCollection([1]).set_engine("local").map(str).to_list()
        ['1']

        :raises UnknownEngine: at once, with the engines that are installed.
        """
        get_executor(name)
        return DataCollection(self._chain.derive(engine=name))

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
        return DataCollection(rows) if isinstance(index, slice) else rows

    def __getattr__(self, namespace: str) -> OperatorNamespace[DataCollection]:
        return OperatorNamespace.of(DataCollection, namespace, self.then)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(first for first, _ in known_attributes())})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DataCollection) and self._chain == other._chain

    __hash__ = None  # type: ignore[assignment]  # rows may be unhashable

    def __reduce__(self) -> tuple[object, ...]:
        return DataCollection, (self._chain,)

    def __repr__(self) -> str:
        chain = f".{self.pipeline}" if self.pipeline.calls else ""
        return f"DataCollection({reprlib.repr(self._chain.rows)}){chain}"
