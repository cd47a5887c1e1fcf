"""What a conflict is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from plugin_spec.names import OperatorName
    from plugin_spec.requirement import Requirement


class Request(NamedTuple):
    """Some versions of ``asker``, or the user if it is None, ask for something."""

    asker: OperatorName | None
    requirement: Requirement


class Rule(NamedTuple):
    """Some versions of ``name`` are not allowed, for one reason."""

    name: OperatorName
    reason: str


Constraint: TypeAlias = Request | Rule
"""What a search can leave out, to see whether there is an answer without it."""
