"""In which order versions are chosen: so, whose is the newest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from plugin_spec.names import OperatorName


class Agenda:
    """Names outwards from the user: what they ask for, then what this needs, and so on.

    Of names equally far, the first in the alphabet comes first.
    """

    def __init__(
        self,
        roots: Iterable[OperatorName],
        needs: Callable[[OperatorName], Iterable[OperatorName]],
    ) -> None:
        self.names = sorted(set(roots))
        self._needs = needs
        self._rings = [0]
        """Where each ring begins; all before it was decided when it was drawn up."""

    def next(self, decided: int) -> OperatorName | None:
        """Whose turn it is after the first ``decided`` names; None if it is nobody's.

        What the names beyond those need is forgotten: they are to be decided again.
        """
        while self._rings[-1] > decided:
            del self.names[self._rings.pop() :]
        if decided == len(self.names) > 0:
            ring = self.names[self._rings[-1] :]
            further = {need for name in ring for need in self._needs(name)}
            self._rings.append(decided)
            self.names += sorted(further.difference(self.names))
        return self.names[decided] if decided < len(self.names) else None
