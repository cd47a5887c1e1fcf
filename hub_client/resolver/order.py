"""Put operators in the order in which they need one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from plugin_spec.names import OperatorName


def dependencies_first(
    roots: Iterable[OperatorName],
    needs: Callable[[OperatorName], Iterable[OperatorName]],
) -> list[OperatorName]:
    """What ``roots`` reach, each after all that it needs unless that needs it in turn.

    Names decide what this leaves open, and where a cycle is entered.

    >>> needs = {"app": ["search", "decode"], "search": ["decode"], "decode": []}
    >>> dependencies_first(["app"], needs.get)
    ['decode', 'search', 'app']
    """
    ordered: dict[OperatorName, None] = {}
    entered: set[OperatorName] = set()
    stack = sorted(set(roots), reverse=True)
    while stack:
        name = stack[-1]
        if name in entered:
            ordered[stack.pop()] = None
            continue
        entered.add(name)
        stack += sorted(set(needs(name)) - entered, reverse=True)
    return list(ordered)
