"""A numpy function on a column: whole, row by row, and as one writes it by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
from measure import in_turn, print_table

from towhee import DataCollection

ROWS = 300_000
TABLE = pa.table({"a": np.random.default_rng(0).random(ROWS)})
ENTITIES = DataCollection.from_arrow(TABLE).to_list()
CHUNK = 65_536


def by_hand() -> Any:  # noqa: ANN401  (pyarrow has no types)
    """What a Python programmer writes with Arrow and numpy."""
    roots = np.sqrt(TABLE.column("a").to_numpy())
    return TABLE.append_column("b", pa.array(roots))


def whole_column() -> Any:  # noqa: ANN401
    """From a table to a table, the column whole."""
    rows = DataCollection.from_arrow(TABLE).to_column()
    return rows.cmap["a", "b"](np.sqrt).to_arrow()


def chunks() -> Any:  # noqa: ANN401
    """The same in chunks."""
    rows = DataCollection.from_arrow(TABLE).set_chunksize(CHUNK)
    return rows.cmap["a", "b"](np.sqrt).to_arrow()


def rows_by_column() -> list[Any]:
    """From rows to rows by way of columns."""
    return DataCollection(ENTITIES).cmap["a", "b"](np.sqrt).to_list()


def rows_one_by_one() -> list[Any]:
    """From rows to rows, one at a time."""
    return DataCollection(ENTITIES).map["a", "b"](math.sqrt).to_list()


def table_one_by_one() -> Any:  # noqa: ANN401
    """From a table to a table, one row at a time."""
    return DataCollection.from_arrow(TABLE).map["a", "b"](math.sqrt).to_arrow()


def main() -> None:
    """Check that all agree, then print the table."""
    expected = by_hand().to_pylist()
    tables = (whole_column(), chunks(), table_one_by_one())
    rows = (rows_by_column(), rows_one_by_one())
    found = [table.to_pylist() for table in tables]
    found += [[vars(row) for row in each] for each in rows]
    if any(each != expected for each in found):
        message = "the alternatives disagree"
        raise SystemExit(message)
    print_table(
        f"The square root of a column of {ROWS:,} rows",
        in_turn(
            {
                "numpy and Arrow by hand": by_hand,
                "cmap, whole": whole_column,
                f"cmap, chunks of {CHUNK:,}": chunks,
                "map, from table to table": table_one_by_one,
                "cmap, from rows to rows": rows_by_column,
                "map, from rows to rows": rows_one_by_one,
            },
        ),
        count=ROWS,
    )


if __name__ == "__main__":
    main()
