"""Functions over a million integers and over one, against what one writes by hand."""

from __future__ import annotations

import timeit
import tracemalloc
from operator import neg

from measure import in_turn, print_table

from towhee import DataCollection
from towhee.maybe import Some

ROWS = 1_000_000
CHAINS = 1000


def is_even(number: int) -> bool:
    """A filter as cheap as filters get, so that overhead shows."""
    return number % 2 == 0


def generator_expression() -> list[str]:
    """What a Python programmer writes by hand."""
    return list(str(neg(number)) for number in range(ROWS) if is_even(number))  # noqa: C400  (the peer is a generator expression, as the claim says)


def composed() -> list[str]:
    """The standard library's own lazy chain."""
    return list(map(str, map(neg, filter(is_even, range(ROWS)))))


def chain() -> DataCollection:
    """The same as a DataCollection, not yet computed."""
    return DataCollection.range(ROWS).filter(is_even).map(neg).map(str)


def collection() -> list[str]:
    """The same as a DataCollection."""
    return chain().to_list()


def safe_collection() -> list[str]:
    """With every failure kept, and dropped at the end."""
    rows = DataCollection.range(ROWS).exception_safe()
    return rows.filter(is_even).map(neg).map(str).drop_empty().to_list()


def safe_values() -> list[object]:
    """With every row as ``Some`` value."""
    rows = DataCollection.range(ROWS).exception_safe()
    return rows.filter(is_even).map(neg).map(str).to_list()


def values_by_hand() -> list[object]:
    """The same rows, written out: most of the time goes into so many objects."""
    return [Some(str(neg(number))) for number in range(ROWS) if is_even(number)]


def short_chains() -> None:
    """A chain made, run and forgotten, a thousand times."""
    for _ in range(CHAINS):
        DataCollection([1]).map(str).to_list()


def memory(rows: DataCollection) -> int:
    """The most bytes that Python held while the rows went by."""
    tracemalloc.start()
    for _ in rows:
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def main() -> None:
    """Check that all agree, then print the tables."""
    plain = generator_expression() == composed() == collection() == safe_collection()
    if not plain or safe_values() != values_by_hand():
        message = "the alternatives disagree"
        raise SystemExit(message)
    print_table(
        "A million integers, filtered, negated and formatted",
        in_turn(
            {
                "generator expression": generator_expression,
                "map and filter": composed,
                "DataCollection": collection,
                "exception_safe, drop_empty": safe_collection,
                "exception_safe": safe_values,
                "Some by hand": values_by_hand,
            },
            rounds=7,
        ),
        count=ROWS,
    )
    seconds = min(timeit.repeat(short_chains, number=1, repeat=7))
    print(f"\nA chain of one row costs {seconds / CHAINS * 1e6:.1f} microseconds.")
    few, many = (memory(DataCollection.range(n).map(str)) for n in (1000, ROWS))
    print(f"Iterated, 1,000 rows need {few:,} bytes, {ROWS:,} need {many:,}.")


if __name__ == "__main__":
    main()
