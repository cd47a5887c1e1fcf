"""A CPU-bound function over rows, against a process pool written by hand."""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor

from measure import in_turn, print_table

from towhee import DataCollection

WORKERS = os.cpu_count() or 1
CHUNK = 256


def compute(number: int) -> int:
    """About 20 microseconds of arithmetic that holds the interpreter's lock."""
    for _ in range(250):
        number = (number * 1103515245 + 12345) % 2147483648
    return number


def main() -> None:
    """Check that all agree, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rows = range(arguments.rows)

    def pool() -> list[int]:
        with ProcessPoolExecutor(WORKERS) as executor:
            return list(executor.map(compute, rows, chunksize=CHUNK))

    def one_by_one() -> list[int]:
        return list(map(compute, rows))

    def collection(backend: str) -> list[int]:
        parallel = DataCollection(rows).set_parallel(WORKERS, backend=backend)
        return parallel.map(compute).to_list()

    alternatives = {
        f"ProcessPoolExecutor, chunks of {CHUNK}": pool,
        "one core": one_by_one,
        "set_parallel, processes": lambda: collection("process"),
        "set_parallel, threads": lambda: collection("thread"),
    }
    if len({tuple(alternative()) for alternative in alternatives.values()}) != 1:
        message = "the alternatives disagree"
        raise SystemExit(message)
    print_table(
        f"{arguments.rows} rows through a CPU-bound function, {WORKERS} workers",
        in_turn(alternatives, rounds=arguments.rounds),
        count=arguments.rows,
    )


if __name__ == "__main__":
    main()
