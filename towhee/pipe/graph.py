"""A graph as it is written: nodes in order, and the columns that they have made."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Literal

from towhee.columns import column_names
from towhee.pipe.columns import Column, distinct, find
from towhee.pipe.nodes import Node, Window, work
from towhee.pipe.running import Pipe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    Names: TypeAlias = str | tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """What rows will go through; every method returns a longer graph.

    A graph from which two others were written is a part of both, and runs once where
    ``concat`` joins them.
    """

    nodes: tuple[Node, ...]
    columns: Mapping[str, Column | None]
    """Columns by name; None where two branches made different ones."""

    @classmethod
    def input(cls, *columns: str) -> Graph:
        """Begin with the values that a call will bring, a column each.

        >>> pipe.input("x").output("x")(1).get()
        [1]

        :raises InvalidColumns: if there is none.
        :raises DuplicateColumn: if there is one twice.
        """
        made = _made(distinct(columns, node="input"))
        return cls((Node("input", (), tuple(made.values())),), dict(made))

    def map(self, inputs: Names, outputs: Names, fn: object) -> Graph:
        """Call ``fn`` with each row's inputs; what it returns are the outputs.

        >>> p = pipe.input("a", "b").map(("a", "b"), "sum", lambda a, b: a + b)
        >>> p.output("sum")(1, 2).get()
        [3]

        What a generator gives becomes a list. With no outputs, ``()``, the function is
        called for what it does. Columns of different lengths are paired up to the end
        of the shortest; scalars go with every row.

        :param fn: a function, an operator, an operator's name, or a graph with its
            output, whose nodes become nodes of this one.
        :raises UnknownColumn: with the nearest name.
        """
        if isinstance(fn, Pipe):
            return self._inlined(inputs, outputs, fn)
        return self._with("map", inputs, outputs, fn)

    def flat_map(self, inputs: Names, outputs: Names, fn: object) -> Graph:
        """Call ``fn`` with each row's inputs; each thing that it gives is a row.

        >>> p = pipe.input("text").flat_map("text", "word", str.split)
        >>> p.output("text", "word")("to be").to_list()
        [['to be', 'to'], ['to be', 'be']]

        :raises UnknownColumn: with the nearest name.
        """
        return self._with("flat_map", inputs, outputs, fn)

    def filter(
        self, inputs: Names, outputs: Names, filter_columns: Names, fn: object
    ) -> Graph:
        """Let the inputs of rows pass, as outputs, where ``fn(filter_columns)`` holds.

        >>> p = pipe.input("n").flat_map("n", "i", range)
        >>> p = p.filter("i", "even", "i", lambda i: i % 2 == 0)
        >>> p.output("even")(5).to_list()
        [[0], [2], [4]]

        :raises UnknownColumn: with the nearest name.
        :raises ValueError: if there are not as many outputs as inputs.
        """
        passing = column_names(inputs)
        passed = distinct(outputs, node="filter")
        if len(passing) != len(passed):
            raise ValueError(
                f"`filter` gives its {len(passing)} inputs other names, "
                f"and {len(passed)} are there"
            )
        return self._with("filter", filter_columns, passed, fn, filtered=passing)

    def window(
        self, inputs: Names, outputs: Names, size: int, step: int, fn: object
    ) -> Graph:
        """Call ``fn`` with lists of ``size`` rows' inputs, every ``step`` rows.

        >>> p = pipe.input("n").flat_map("n", "i", range)
        >>> p = p.window("i", "sums", size=2, step=2, fn=sum)
        >>> p.output("sums")(5).to_list()
        [[1], [5], [4]]

        The windows at the end are shorter.

        :raises UnknownColumn: with the nearest name.
        :raises ValueError: if size or step is not a positive number.
        """
        window = Window(_positive(size=size), _positive(step=step))
        return self._with("window", inputs, outputs, fn, window=window)

    def window_all(self, inputs: Names, outputs: Names, fn: object) -> Graph:
        """Call ``fn`` once, with the inputs of all rows; its results are scalars.

        >>> p = pipe.input("n").flat_map("n", "i", range).window_all("i", "sum", sum)
        >>> p.output("i", "sum")(3).to_list()
        [[0, 3], [1, 3], [2, 3]]

        :raises UnknownColumn: with the nearest name.
        """
        return self._with("window_all", inputs, outputs, fn)

    def time_window(  # noqa: PLR0913, PLR0917  (as it has always been called)
        self,
        inputs: Names,
        outputs: Names,
        timestamp_col: str,
        size: float,
        step: float,
        fn: object,
    ) -> Graph:
        """Call ``fn`` with the rows of ``size`` seconds, every ``step`` seconds.

        >>> p = pipe.input("rows").flat_map("rows", ("ms", "n"), iter)
        >>> p = p.time_window("n", "sum", "ms", size=1, step=1, fn=sum)
        >>> p.output("sum")([(0, 1), (900, 2), (5100, 3)]).to_list()
        [[3], [3]]

        Windows begin at multiples of the step; those without rows are left out.

        :param timestamp_col: milliseconds, 0 or more and finite, in ascending order;
            others end a run, as ``UnorderedTime``.
        :raises UnknownColumn: with the nearest name.
        :raises ValueError: if size or step is not a positive number.
        """
        (time,) = find(
            self.columns,
            column_names((timestamp_col,)),
            node="time_window",
        )
        window = Window(_positive(size=size), _positive(step=step), time)
        return self._with("window", inputs, outputs, fn, window=window)

    def concat(self, *graphs: Graph) -> Graph:
        """Join graphs that were written from this one, or from what this one was.

        >>> p = pipe.input("x")
        >>> more, less = p.map("x", "y", lambda x: x + 1), p.map("x", "z", lambda x: -x)
        >>> more.concat(less).output("y", "z")(1).get()
        [2, -1]

        A name that two of them made differently cannot be read any more.

        :raises TypeError: for anything but graphs, and for those of another input.
        """
        nodes = dict.fromkeys(self.nodes)
        columns = dict(self.columns)
        for graph in graphs:
            if getattr(graph, "nodes", (None,))[0] is not self.nodes[0]:
                raise TypeError(
                    "`concat` joins graphs that begin with the same `pipe.input(…)`"
                )
            nodes.update(dict.fromkeys(graph.nodes))
            for name, column in graph.columns.items():
                same = columns.setdefault(name, column) is column
                columns[name] = column if same else None
        return Graph(tuple(nodes), columns)

    def output(self, *columns: str) -> Pipe:
        """End with the columns to give; the graph can be called now.

        Operators are found here, and loaded when they are first needed.

        >>> pipe.input("x").map("x", "y", str).output("x", "y")(1).get_dict()
        {'x': 1, 'y': '1'}

        :raises UnknownColumn: with the nearest name.
        :raises PortMismatch: if an operator cannot take what another one gives.
        """
        wanted = distinct(columns, node="output")
        found = find(self.columns, wanted, node="output")
        return Pipe(self.nodes, dict(zip(wanted, found, strict=True)))

    def _with(  # noqa: PLR0913  (a node is this much)
        self,
        kind: Literal["map", "flat_map", "filter", "window", "window_all"],
        inputs: Names,
        outputs: Names,
        fn: object,
        *,
        filtered: tuple[str, ...] = (),
        window: Window | None = None,
    ) -> Graph:
        word = "time_window" if window and window.time else kind
        if isinstance(fn, Pipe):
            raise TypeError(f"only `map` takes a graph, and `{word}` was given {fn}")
        made = _made(distinct(outputs, node=word, some=False))
        node = Node(
            kind,
            find(self.columns, column_names(inputs), node=word),
            tuple(made.values()),
            work(fn),
            find(self.columns, filtered, node=word),
            window,
        )
        return Graph((*self.nodes, node), {**self.columns, **made})

    def _inlined(self, inputs: Names, outputs: Names, pipe: Pipe) -> Graph:
        first, *rest = pipe.nodes
        read = find(self.columns, column_names(inputs), node="map")
        made = distinct(outputs, node="map")
        if (len(read), len(made)) != (len(first.outputs), len(pipe.outputs)):
            raise ValueError(
                f"`map` reads {len(read)} columns and makes {len(made)}, unlike "
                f"`{pipe}`, which reads {len(first.outputs)} and makes "
                f"{len(pipe.outputs)}"
            )
        named = dict(zip(pipe.outputs.values(), made, strict=True))
        known = dict(zip(first.outputs, read, strict=True))
        for node in rest:
            for column in node.outputs:
                known[column] = Column(named.get(column, column.name))
        nodes = (node.over(known) for node in rest)
        given = {name: known[column] for column, name in named.items()}
        return Graph((*self.nodes, *nodes), {**self.columns, **given})

    def __repr__(self) -> str:
        inputs, *rest = self.nodes
        first = ", ".join(repr(column.name) for column in inputs.outputs)
        return ".".join([f"pipe.input({first})", *map(str, rest)])


def _made(columns: tuple[str, ...]) -> dict[str, Column]:
    return {name: Column(name) for name in columns}


def _positive(**named: float) -> float:
    ((name, number),) = named.items()
    is_number = isinstance(number, Real)
    if not is_number or not number > 0:
        raise ValueError(f"{name} is {number!r}, and has to be more than 0")
    return number
