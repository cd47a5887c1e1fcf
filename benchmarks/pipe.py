"""Graphs of columns against loops written by hand: rows of a call, calls, one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from measure import in_turn, print_table

from towhee import pipe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from measure import Row

    from towhee.pipe import Graph

ROWS = 20_000
MAPS = 10


def increment(number: int) -> int:
    """A function as cheap as functions get, so that overhead shows."""
    return number + 1


def mapped(graph: Graph, maps: int) -> Graph:
    """The graph, with maps that write the column ``x`` anew."""
    for _ in range(maps):
        graph = graph.map("x", "x", increment)
    return graph


SPREAD = mapped(pipe.input("n").flat_map("n", "x", range), MAPS).output("x")
ONE = mapped(pipe.input("x"), 1).output("x")
FIVE = mapped(pipe.input("x"), 5).output("x")


def spread_by_hand() -> list[list[int]]:
    """A flat_map and ten maps, as a loop."""
    rows = []
    for number in range(ROWS):
        value = number
        for _ in range(MAPS):
            value = increment(value)
        rows.append([value])
    return rows


def calls_by_hand(maps: int) -> list[list[list[int]]]:
    """A result for each call, as a loop."""
    results = []
    for number in range(ROWS):
        value = number
        for _ in range(maps):
            value = increment(value)
        results.append([[value]])
    return results


def once_by_hand() -> list[list[int]]:
    """One call, a thousand times."""
    return [[increment(number)] for number in range(1_000)]


def once() -> list[list[int] | None]:
    """The same through a graph."""
    return [ONE(number).get() for number in range(1_000)]


def compare(
    title: str, alternatives: Mapping[str, Callable[[], object]], units: int
) -> Row:
    """Time them in turn; the last one's row, told by the unit as well."""
    rows = in_turn(alternatives)
    print_table(title, rows, count=units)
    last = rows[-1]
    print(f"\n{last.name}: {last.seconds / units * 1e6:.2f} µs each")
    return last


def main() -> None:
    """Check that graphs and loops agree, then print the tables."""
    if SPREAD(ROWS).to_list() != spread_by_hand() or once() != once_by_hand():
        message = "the alternatives disagree"
        raise SystemExit(message)
    stages = MAPS + 1
    compare(
        f"One call, a flat_map of {ROWS:,} rows and {MAPS} maps: rows and stages",
        {"loop": spread_by_hand, "pipe": lambda: SPREAD(ROWS)},
        ROWS * stages,
    )
    for maps, graph in ((1, ONE), (5, FIVE)):
        compare(
            f"{ROWS:,} calls in a batch, maps: {maps}: rows and stages",
            {
                "loop": lambda maps=maps: calls_by_hand(maps),
                "pipe.batch": lambda graph=graph: graph.batch(range(ROWS)),
            },
            ROWS * maps,
        )
    compare("A thousand single calls", {"loop": once_by_hand, "pipe": once}, 1_000)


if __name__ == "__main__":
    main()
