"""A million integers through a chain, against the plain generator expression."""

from __future__ import annotations

from measure import in_turn, print_table

from towhee import DataCollection

ROWS = 1_000_000


def is_even(number: int) -> bool:
    """A filter as cheap as filters get, so that overhead shows."""
    return number % 2 == 0


def generator_expression() -> list[str]:
    """What a Python programmer writes by hand."""
    return list(str(number) for number in range(ROWS) if is_even(number))  # noqa: C400  (the peer is a generator expression, as the claim says)


def composed() -> list[str]:
    """The standard library's own lazy chain."""
    return list(map(str, filter(is_even, range(ROWS))))


def collection() -> list[str]:
    """The same as a DataCollection."""
    return DataCollection.range(ROWS).filter(is_even).map(str).to_list()


def main() -> None:
    """Check that all three agree, then print the table."""
    if not generator_expression() == composed() == collection():
        message = "the alternatives disagree"
        raise SystemExit(message)
    print_table(
        "A million integers, filtered and formatted",
        in_turn(
            {
                "generator expression": generator_expression,
                "map and filter": composed,
                "DataCollection": collection,
            },
            rounds=7,
        ),
        count=ROWS,
    )


if __name__ == "__main__":
    main()
