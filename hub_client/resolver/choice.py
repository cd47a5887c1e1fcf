"""What is still open about one operator, and when it was narrowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub_client.candidate import Release
    from hub_client.resolver.nogood import Nogood
    from plugin_spec.names import OperatorName

ABSENT: Final = 1
"""The bit of a mask that stands for no version at all; then best version first."""


class Choice:
    """One operator: its releases, and a mask of what is still possible."""

    __slots__ = ("everything", "name", "nogoods", "open", "releases", "steps")

    def __init__(self, name: OperatorName, releases: tuple[Release, ...]) -> None:
        self.name, self.releases = name, releases
        self.everything = self.open = (ABSENT << len(releases) + 1) - 1
        self.nogoods: list[Nogood] = []
        """All that it is a part of."""
        self.steps: list[Step] = []

    def best(self) -> int:
        """The best version that is still possible, as a mask of one bit."""
        possible = self.open & ~ABSENT
        return possible & -possible

    def release(self, version: int) -> Release:
        """The release that a mask of one bit stands for."""
        return self.releases[version.bit_length() - 2]

    def picked(self, mask: int) -> Iterator[Release]:
        """The releases in ``mask``, best first."""
        mask >>= 1
        for release in self.releases:
            if mask & 1:
                yield release
            mask >>= 1

    def within(self, mask: int) -> Step:
        """The first step since which nothing outside ``mask`` is possible."""
        return next(step for step in self.steps if not step.open & ~mask)


class Step(NamedTuple):
    """From here on, ``choice`` was down to ``open``."""

    number: int
    level: int
    """How many decisions were made."""
    choice: Choice
    open: int
    cause: Nogood | None
    """What left no more; None for a decision."""


class Trail:
    """Every step, in order; the later ones can be taken back."""

    def __init__(self) -> None:
        self.level = 0
        self._steps: list[Step] = []

    def narrow(self, choice: Choice, mask: int, cause: Nogood | None) -> None:
        """Leave only ``mask`` of a choice, some of which is open."""
        if cause is None:
            self.level += 1
        choice.open &= mask
        step = Step(len(self._steps), self.level, choice, choice.open, cause)
        self._steps.append(step)
        choice.steps.append(step)

    def take_back(self, level: int) -> None:
        """Forget all that came after the first ``level`` decisions."""
        self.level = level
        while self._steps and self._steps[-1].level > level:
            choice = self._steps.pop().choice
            choice.steps.pop()
            choice.open = choice.steps[-1].open if choice.steps else choice.everything
