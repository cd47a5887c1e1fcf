"""What cannot be chosen together, and which constraints say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub_client.resolver.choice import Choice
    from hub_client.resolver.constraint import Constraint


class Nogood:
    """At least one of these choices must fall outside its mask.

    A requirement of ``a`` on ``b`` is one of these: not a version of ``a`` that asks,
    together with no ``b`` or a ``b`` that will not do.
    """

    __slots__ = ("because", "parents", "parts")

    def __init__(
        self,
        parts: dict[Choice, int],
        because: Constraint | None = None,
        parents: tuple[Nogood, ...] = (),
    ) -> None:
        # What is always so need not be said.
        self.parts = {c: mask for c, mask in parts.items() if mask != c.everything}
        self.because = because
        """The constraint that it states; None if it follows from ``parents``."""
        self.parents = parents

    def constraints(self) -> Iterator[Constraint]:
        """Those that it follows from, each once for every nogood that states it."""
        seen, waiting = {id(self)}, [self]
        while waiting:
            nogood = waiting.pop()
            if nogood.because is not None:
                yield nogood.because
            for parent in nogood.parents:
                if id(parent) not in seen:
                    seen.add(id(parent))
                    waiting.append(parent)


def resolvent(
    one: dict[Choice, int], other: dict[Choice, int], choice: Choice
) -> dict[Choice, int]:
    """What cannot be, whatever is chosen for ``choice``, as neither of these can."""
    parts = one.copy()
    for each, mask in other.items():
        parts[each] = parts.get(each, each.everything) & mask
    parts[choice] = one[choice] | other[choice]
    return parts
