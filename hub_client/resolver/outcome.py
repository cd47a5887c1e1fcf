"""How a search ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from packaging.version import Version

    from hub_client.candidate import Candidate
    from hub_client.resolver.constraint import Constraint, Request
    from hub_client.resolver.resolution import Rejection
    from plugin_spec.names import OperatorName


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a search ended, and what it met on the way."""

    chosen: Mapping[OperatorName, Candidate] | None
    """None if no set of versions will do."""
    proof: AbstractSet[Constraint]
    """If none will do: constraints that nothing satisfies together."""
    requests: Mapping[Request, AbstractSet[Version]]
    """Every request that was looked at, with the versions of its asker."""
    ruled_out: tuple[Rejection, ...]
    """Rejected by a rule, whatever is chosen beside it."""
    given_up: tuple[Rejection, ...]
    """Rejected by the search."""

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """All of them, by name, newest first."""
        every = sorted(
            (*self.ruled_out, *self.given_up), key=lambda r: r.version, reverse=True
        )
        return tuple(sorted(every, key=lambda rejection: rejection.name))
