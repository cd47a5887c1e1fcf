"""Rows with their numbers, in the lists that they are handed over in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Numbered: TypeAlias = "tuple[int, Any]"
"""A row's number in the source, and its value, or ``Failed``."""

_PATIENCE: Final = 0.05


class Chunks:
    """Lists of rows: full ones from a quick source, what there is from a slow one.

    What a source raises comes after the rows that it gave before.

    :param size: asked after each row for how many there should be.
    """

    def __init__(self, rows: Iterable[Numbered], size: Callable[[], int]) -> None:
        self._rows = iter(rows)
        self._size = size

    def __iter__(self) -> Iterator[list[Numbered]]:
        patience = _PATIENCE
        chunk: list[Numbered] = []
        problem: Exception | None = None
        start = time.perf_counter()
        try:
            for pair in self._rows:
                chunk.append(pair)
                now = time.perf_counter()
                if len(chunk) >= self._size() or now - start > patience:
                    yield chunk
                    chunk = []
                    start = time.perf_counter()
                    # Rows are waited for no longer than computing takes anyway.
                    patience = max(_PATIENCE, start - now)
        except Exception as error:  # noqa: BLE001  (raised when its rows are through)
            problem = error
        if chunk:
            yield chunk
        if problem is not None:
            raise problem
