"""Operators that no other test has loaded: equal code would share an instance."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub_client.installed import InstalledOperator

_numbers = count()


@pytest.fixture
def write_fresh(
    write_operator: Callable[..., InstalledOperator],
) -> Callable[..., InstalledOperator]:
    def write(code: str, **options: object) -> InstalledOperator:
        return write_operator(f"{code}\n# {next(_numbers)}\n", **options)

    return write
