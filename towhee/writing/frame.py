"""Rows as a frame of pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from towhee.columns import Entity, columns_of
from towhee.extras import needed_for

if TYPE_CHECKING:
    from collections.abc import Sequence


def as_frame(rows: Sequence[object]) -> Any:  # noqa: ANN401  (pandas may not be there)
    """A ``pandas.DataFrame``; what a row lacks is missing there.

    :raises MissingColumn: if some rows have columns and others none.
    """
    with needed_for("A DataFrame", extra="dataframe"):
        import pandas as pd  # noqa: PLC0415  (only who asks for it has it)
    if not any(isinstance(row, Entity) for row in rows):
        return pd.DataFrame({"value": pd.Series([*rows])} if rows else {})
    dicts = [columns_of(row) for row in rows]
    names = dict.fromkeys(name for columns in dicts for name in columns)
    return pd.DataFrame(
        {name: pd.Series([columns.get(name) for columns in dicts]) for name in names}
    )
