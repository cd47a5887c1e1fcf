"""Whether a chain learns or uses what was learned, and where that is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from plugin_spec.errors import HubError
from towhee.evaluations import NameTaken

if TYPE_CHECKING:
    from towhee.chain import Chain
    from towhee.learning.state import State


class NoMode(HubError, ValueError):
    """A chain says neither that it learns nor that it uses what was learned."""


@dataclass(frozen=True, slots=True)
class Mode:
    """What operators that learn are to do, and the names that are taken."""

    name: Literal["training", "evaluating"]
    state: State
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, chain: Chain, operator: str) -> Mode:
        """What a chain says.

        :raises NoMode: if it says nothing.
        """
        if chain.learning is None:
            raise NoMode(
                f"`{operator}` has to know whether to learn or to use what it learned",
                hint="Call `set_training(state)` or `set_evaluating(state)` before it",
            )
        return chain.learning

    def with_name(self, name: str) -> Mode:
        """Use a name; several operators may use what one learned.

        :raises NameTaken: if one is to learn what the chain used or learned before.
        """
        if self.name == "training" and name in self.names:
            raise NameTaken(
                f"An operator of this chain has what it learned as `{name}` already",
                hint="Give each a name of its own: `name='…'`",
            )
        return replace(self, names=self.names | {name})
