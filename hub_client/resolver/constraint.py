"""What a conflict is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from plugin_spec.names import OperatorName
    from plugin_spec.requirement import Requirement


@dataclass(frozen=True, slots=True)
class Request:
    """Some versions of ``asker``, or the user if it is None, ask for something."""

    asker: OperatorName | None
    requirement: Requirement
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Looked up a million times; to hash a specifier takes as long as to sort it.
        object.__setattr__(self, "_hash", hash((self.asker, self.requirement)))

    def __hash__(self) -> int:
        return self._hash


class Rule(NamedTuple):
    """Some versions of ``name`` are not allowed, for one reason."""

    name: OperatorName
    reason: str


Constraint: TypeAlias = Request | Rule
"""What a search can leave out, to see whether there is an answer without it."""
